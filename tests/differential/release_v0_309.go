//go:build v0_309

package main

import "github.com/prometheus/prometheus/promql/parser"

const release = "v0.309"

func init() {
	thanosFunctions()
	parser.EnableExperimentalFunctions = true
	parser.ExperimentalDurationExpr = true
	parser.EnableExtendedRangeSelectors = true
}

func parse(query string) (parser.Expr, error) { return parser.ParseExpr(query) }

func newLexer(query string) *parser.Lexer { return parser.Lex(query) }

// wideNames is whether names may have dots and letters beyond ASCII; the exported lexer never reads them.
func wideNames() bool { return false }
