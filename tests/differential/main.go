// Command differential holds confined queries against Prometheus' own parser.
//
// It reads JSON lines from the files named on its command line: a query (q), its confined text (c),
// its text with the caller's matchers replaced (r), and the tokens that our lexer saw (t). It prints
// what it finds wrong and a summary, and exits with 1 if anything is.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

type line struct {
	Query    string  `json:"q"`
	Confined *string `json:"c"`
	Replaced *string `json:"r"`
	Refusal  string  `json:"e"`
	Tokens   string  `json:"t"`
}

var (
	enforced = flag.String("matcher", "tenant_id=a", "the enforced label and value")
	listed   = flag.String("listed", "", "words in the refusals of queries that are expected to be refused, separated by |")
	show     = flag.Int("show", 5, "how many examples of each finding are printed")
)

type tally struct {
	name   string
	counts map[string]int
}

func (t *tally) find(kind, format string, args ...any) {
	t.counts[kind]++
	if t.counts[kind] <= *show {
		fmt.Printf("%s %s: %s\n", t.name, kind, fmt.Sprintf(format, args...))
	}
}

func main() {
	flag.Parse()
	t := &tally{name: release, counts: map[string]int{}}
	if wideNames() {
		t.name += " with wide names"
	}
	for _, path := range flag.Args() {
		file, err := os.Open(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		in := bufio.NewReaderSize(file, 1<<20)
		for {
			raw, err := in.ReadBytes('\n')
			if len(raw) == 0 && err != nil {
				break
			}
			var l line
			if err := json.Unmarshal(raw, &l); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(2)
			}
			t.judge(&l)
		}
		file.Close()
	}
	c := t.counts
	fmt.Printf("%s: %d queries, %d accepted; escape %d, changed %d, invalid %d, woken %d, dead %d, tokens %d; refused though accepted %d (and %d listed)\n",
		t.name, c["queries"], c["accepted"], c["escape"], c["changed"], c["invalid"], c["woken"], c["dead"], c["tokens"], c["refused"], c["listed"])
	if c["queries"] == 0 || c["escape"]+c["changed"]+c["invalid"]+c["woken"]+c["dead"]+c["tokens"]+c["refused"] > 0 {
		os.Exit(1)
	}
}

func (t *tally) judge(l *line) {
	t.counts["queries"]++
	original, err := parse(l.Query)
	accepted := err == nil
	if accepted {
		t.counts["accepted"]++
	}
	if l.Confined == nil {
		switch {
		case l.Refusal == "panic" || l.Refusal == "slow":
			t.find("dead", "%.300q", l.Query)
		case accepted && !t.expected(l.Refusal):
			t.find("refused", "%.300q: %s", l.Query, l.Refusal)
		}
		return
	}
	name, value, _ := strings.Cut(*enforced, "=")
	t.compare(l.Query, *l.Confined, original, accepted, func(m *labels.Matcher) bool {
		return m.Type == labels.MatchEqual && m.Name == name && m.Value == value
	}, false)
	if l.Replaced != nil {
		t.compare(l.Query, *l.Replaced, original, accepted, func(m *labels.Matcher) bool {
			return m.Type == labels.MatchEqual && m.Name == name && m.Value == value
		}, true)
	}
	if accepted && !wideNames() {
		if seen := tokens(l.Query); seen != l.Tokens {
			t.find("tokens", "%.300q: %s, not %s", l.Query, l.Tokens, seen)
		}
	}
}

// compare holds one confined text against the original: each selector has the matcher, and without
// it the tree is the original's (when the caller's own matchers are replaced, without those too).
func (t *tally) compare(query, confined string, original parser.Expr, accepted bool, is func(*labels.Matcher) bool, replaced bool) {
	result, err := parse(confined)
	if err != nil {
		if accepted {
			t.find("invalid", "%.300q -> %.300q: %v", query, confined, err)
		}
		return
	}
	name, _, _ := strings.Cut(*enforced, "=")
	escaped := false
	selectors(result, func(s *parser.VectorSelector) {
		found, others := -1, 0
		for i, m := range s.LabelMatchers {
			if found < 0 && is(m) {
				found = i
			} else if m.Name == name {
				others++
			}
		}
		if found < 0 || (replaced && others > 0) {
			escaped = true
			return
		}
		s.LabelMatchers = append(append([]*labels.Matcher{}, s.LabelMatchers[:found]...), s.LabelMatchers[found+1:]...)
	})
	if escaped {
		t.find("escape", "%.300q -> %.300q", query, confined)
		return
	}
	if !accepted && replaced {
		// What was wrong with the query may have gone with the caller's matcher.
		return
	}
	if !accepted {
		t.find("woken", "%.300q -> %.300q", query, confined)
		return
	}
	if a, b := tree(original, replaced), tree(result, replaced); a != b {
		t.find("changed", "%.300q -> %.300q: %.300s, not %.300s", query, confined, b, a)
	}
}

func (t *tally) expected(refusal string) bool {
	for _, word := range strings.Split(*listed, "|") {
		if word != "" && strings.Contains(refusal, word) {
			t.counts["listed"]++
			return true
		}
	}
	return false
}

// selectors calls f for each vector selector, those of aggregation parameters too.
func selectors(e parser.Expr, f func(*parser.VectorSelector)) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			f(s)
		}
		return nil
	})
}

// tree prints a tree and, besides, each selector's matchers as a set.
func tree(e parser.Expr, replaced bool) string {
	name, _, _ := strings.Cut(*enforced, "=")
	var all strings.Builder
	selectors(e, func(s *parser.VectorSelector) {
		kept := s.LabelMatchers[:0:0]
		set := []string{}
		for _, m := range s.LabelMatchers {
			if replaced && m.Name == name {
				continue
			}
			kept = append(kept, m)
			set = append(set, fmt.Sprintf("%q%v%q", m.Name, m.Type, m.Value))
		}
		sort.Strings(set)
		fmt.Fprintf(&all, "%v;", set)
		defer func(before []*labels.Matcher) { s.LabelMatchers = before }(s.LabelMatchers)
		s.LabelMatchers = kept
	})
	shown := e.String()
	if replaced {
		// The printed form has the caller's matchers in it: the sets say enough.
		shown = ""
	}
	return fmt.Sprintf("%T %s %s", e, all.String(), shown)
}

// tokens prints the tokens that Prometheus' lexer sees: a class, where each begins and ends.
func tokens(query string) string {
	var all strings.Builder
	lexer := newLexer(query)
	for {
		var item parser.Item
		lexer.NextItem(&item)
		switch item.Typ {
		case parser.EOF, parser.ERROR:
			return all.String()
		case parser.COMMENT:
			continue
		}
		fmt.Fprintf(&all, "%c%d-%d ", class(query, item), item.Pos, int(item.Pos)+len(item.Val))
	}
}

func class(query string, item parser.Item) byte {
	switch item.Typ {
	case parser.NUMBER:
		return 'n'
	case parser.DURATION:
		return 'd'
	case parser.STRING:
		return 's'
	case parser.IDENTIFIER, parser.METRIC_IDENTIFIER:
		return 'w'
	}
	if b := item.Val[0]; b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' {
		return 'w'
	}
	return item.Val[0]
}
