//go:build v0_314

package main

import "github.com/prometheus/prometheus/promql/parser"

const release = "v0.314"

var with parser.Parser

func init() {
	thanosFunctions()
	with = parser.NewParser(parser.Options{
		EnableExperimentalFunctions:  true,
		ExperimentalDurationExpr:     true,
		EnableExtendedRangeSelectors: true,
		EnableBinopFillModifiers:     true,
	})
}

func parse(query string) (parser.Expr, error) { return with.ParseExpr(query) }

func newLexer(query string) *parser.Lexer { return parser.Lex(query) }

// wideNames is whether names may have dots and letters beyond ASCII; the exported lexer never reads them.
func wideNames() bool { return false }
