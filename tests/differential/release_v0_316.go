//go:build v0_316

package main

import (
	"flag"

	"github.com/prometheus/prometheus/promql/parser"
)

const release = "v0.316"

var (
	wide = flag.Bool("wide", false, "take names with dots and letters beyond ASCII without quotes")
	with [2]parser.Parser
)

func init() {
	thanosFunctions()
	options := parser.Options{EnableExperimentalFunctions: true, EnableBinopFillModifiers: true}
	with[0] = parser.NewParser(options)
	options.EnableUnquotedUTF8Names = true
	with[1] = parser.NewParser(options)
}

func parse(query string) (parser.Expr, error) {
	if *wide {
		return with[1].ParseExpr(query)
	}
	return with[0].ParseExpr(query)
}

func newLexer(query string) *parser.Lexer { return parser.Lex(query) }

// wideNames is whether names may have dots and letters beyond ASCII; the exported lexer never reads them.
func wideNames() bool { return *wide }
