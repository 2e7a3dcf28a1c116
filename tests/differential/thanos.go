package main

import "github.com/prometheus/prometheus/promql/parser"

// thanosFunctions adds what Thanos adds.
func thanosFunctions() {
	for _, name := range []string{"xrate", "xincrease", "xdelta"} {
		parser.Functions[name] = &parser.Function{
			Name:       name,
			ArgTypes:   []parser.ValueType{parser.ValueTypeMatrix},
			ReturnType: parser.ValueTypeVector,
		}
	}
}
