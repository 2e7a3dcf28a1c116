//go:build v0_45

package main

import "github.com/prometheus/prometheus/promql/parser"

const release = "v0.45"

func init() { thanosFunctions() }

func parse(query string) (parser.Expr, error) { return parser.ParseExpr(query) }

func newLexer(query string) *parser.Lexer { return parser.Lex(query) }

// wideNames is whether names may have dots and letters beyond ASCII; the exported lexer never reads them.
func wideNames() bool { return false }
