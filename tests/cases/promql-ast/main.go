// Command promql-ast tells how Prometheus and Alertmanager read a query, a selector or a filter.
//
// It reads one JSON object a line, {"kind": "expr" | "selector" | "filter", "hex": "the bytes"},
// and answers each with one line: {"error": ".."} or {"ast": "..", "selectors": [..]}. Two texts
// with the same ast mean the same: the matchers of a selector are a sorted set there, and spelling,
// positions and spaces are left out.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

type question struct {
	Kind string `json:"kind"`
	Hex  string `json:"hex"`
}

type answer struct {
	AST       string     `json:"ast,omitempty"`
	Selectors [][]string `json:"selectors,omitempty"`
	Error     string     `json:"error,omitempty"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			fmt.Fprintln(os.Stderr, "promql-ast:", err)
			os.Exit(2)
		}
		text, err := hex.DecodeString(q.Hex)
		if err != nil {
			fmt.Fprintln(os.Stderr, "promql-ast:", err)
			os.Exit(2)
		}
		if err := out.Encode(read(q.Kind, string(text))); err != nil {
			os.Exit(2)
		}
	}
}

// Every syntax that a flag of Prometheus can switch on: what one server refuses another may run.
var promql = parser.NewParser(parser.Options{
	EnableExperimentalFunctions: true,
	EnableBinopFillModifiers:    true,
	EnableUnquotedUTF8Names:     true,
})

func read(kind, text string) answer {
	switch kind {
	case "expr":
		expr, err := promql.ParseExpr(text)
		if err != nil {
			return answer{Error: err.Error()}
		}
		a := answer{AST: print(reflect.ValueOf(expr))}
		collect(reflect.ValueOf(expr), &a.Selectors)
		return a
	case "selector":
		matchers, err := promql.ParseMetricSelector(text)
		if err != nil {
			return answer{Error: err.Error()}
		}
		set := matcherSet(matchers)
		return answer{AST: strings.Join(set, ","), Selectors: [][]string{set}}
	case "filter":
		m, err := compat.Matcher(text, "promql-ast")
		if err != nil {
			return answer{Error: err.Error()}
		}
		one := matcherText(m.Name, m.Type.String(), m.Value)
		return answer{AST: one, Selectors: [][]string{{one}}}
	default:
		return answer{Error: "unknown kind " + kind}
	}
}

// leftOut are fields that do not change what an expression means: where it stood, how it was spelt,
// and what only an engine fills in. A name is a matcher of its selector too.
var leftOut = map[string]map[string]bool{
	"AggregateExpr":  {"PosRange": true},
	"Call":           {"PosRange": true},
	"DurationExpr":   {"Wrapped": true, "StartPos": true, "EndPos": true},
	"MatrixSelector": {"EndPos": true},
	"NumberLiteral":  {"Duration": true, "PosRange": true},
	"ParenExpr":      {"PosRange": true},
	"StringLiteral":  {"PosRange": true},
	"SubqueryExpr":   {"EndPos": true},
	"UnaryExpr":      {"StartPos": true},
	"VectorSelector": {
		"Name": true, "UnexpandedSeriesSet": true, "Series": true, "PosRange": true,
		"BypassEmptyMatcherCheck": true,
	},
}

var (
	matchersType = reflect.TypeOf([]*labels.Matcher(nil))
	functionType = reflect.TypeOf((*parser.Function)(nil))
	itemType     = reflect.TypeOf(parser.ItemType(0))
)

// print writes a value by reflection, so that a field which a later Prometheus adds is compared too.
func print(v reflect.Value) string {
	switch {
	case !v.IsValid():
		return "nil"
	case v.Type() == matchersType:
		return "{" + strings.Join(matcherSet(v.Interface().([]*labels.Matcher)), ",") + "}"
	case v.Type() == functionType && !v.IsNil():
		return v.Interface().(*parser.Function).Name
	case v.Type() == itemType:
		return strconv.Itoa(int(v.Int()))
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return print(v.Elem())
	case reflect.Struct:
		name := v.Type().Name()
		var b strings.Builder
		b.WriteString(name + "(")
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() || leftOut[name][field.Name] {
				continue
			}
			b.WriteString(field.Name + "=" + print(v.Field(i)) + " ")
		}
		return b.String() + ")"
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, print(v.Index(i)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.String:
		return strconv.QuoteToASCII(v.String())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return fmt.Sprint(v.Interface())
	}
}

// collect finds every selector, wherever a field of the tree holds one: Prometheus' own walk is not
// trusted to go everywhere.
func collect(v reflect.Value, into *[][]string) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || v.Type() == functionType {
			return
		}
		if s, ok := v.Interface().(*parser.VectorSelector); ok {
			*into = append(*into, matcherSet(s.LabelMatchers))
			return
		}
		collect(v.Elem(), into)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				collect(v.Field(i), into)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), into)
		}
	}
}

func matcherSet(matchers []*labels.Matcher) []string {
	set := make([]string, 0, len(matchers))
	for _, m := range matchers {
		set = append(set, matcherText(m.Name, m.Type.String(), m.Value))
	}
	slices.Sort(set)
	return slices.Compact(set)
}

func matcherText(name, op, value string) string {
	return strconv.QuoteToASCII(name) + op + strconv.QuoteToASCII(value)
}
