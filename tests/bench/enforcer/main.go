// Times the enforcer of prom-label-proxy on a file of queries, as core-bench times ours.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus-community/prom-label-proxy/injectproxy"
	"github.com/prometheus/prometheus/model/labels"
)

func main() {
	if len(os.Args) != 4 || (os.Args[1] != "which" && os.Args[1] != "time") {
		fmt.Fprintln(os.Stderr, "usage: enforcer which FILE - | time FILE LAPS")
		os.Exit(2)
	}
	queries := read(os.Args[2])
	matcher, err := labels.NewMatcher(labels.MatchEqual, "tenant_id", "team-a")
	check(err)
	enforcer := injectproxy.NewPromQLEnforcer(false, matcher)
	if os.Args[1] == "which" {
		// The numbers of the lines that it takes, so that both sides do the same work.
		for i, q := range queries {
			if _, err := enforcer.Enforce(strings.ReplaceAll(q, "@N@", "1")); err == nil {
				fmt.Println(i)
			}
		}
		return
	}
	laps, err := strconv.Atoi(os.Args[3])
	check(err)
	best, number := math.MaxFloat64, 100_000_000
	for range laps {
		number++
		all := make([]string, len(queries))
		for i, q := range queries {
			all[i] = strings.ReplaceAll(q, "@N@", strconv.Itoa(number))
		}
		start := time.Now()
		for _, q := range all {
			_, err := enforcer.Enforce(q)
			check(err)
		}
		best = min(best, float64(time.Since(start).Nanoseconds())/float64(len(all)))
	}
	fmt.Printf("{\"queries\": %d, \"each\": %.0f}\n", len(queries), best)
}

func read(path string) []string {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	var out []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q string
		check(json.Unmarshal(lines.Bytes(), &q))
		out = append(out, q)
	}
	check(lines.Err())
	return out
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
