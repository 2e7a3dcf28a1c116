// Command load sends requests of a plan, as raw bytes on many connections, and judges each answer.
//
// The plan is JSON lines: {"raw": base64, "head": bool, "statuses": [..], "must": [..], "never": [..],
// "hostile": bool}. `must` and `never` are texts that an answer of status 200 contains or that no
// answer contains. Once a second, and at the end, one line of JSON tells the sums.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type request struct {
	ID       string   `json:"id"`
	Raw      []byte   `json:"raw"`
	Head     bool     `json:"head"`
	Statuses []int    `json:"statuses"`
	Must     []string `json:"must"`
	Never    []string `json:"never"`
	Hostile  bool     `json:"hostile"`
}

type sums struct {
	Done     int64            `json:"done"`
	Hostile  int64            `json:"hostile"`
	Leaks    int64            `json:"leaks"`
	Refused  int64            `json:"wrong_refusals"`
	Missing  int64            `json:"own_data_missing"`
	Broken   int64            `json:"no_answer"`
	Statuses map[string]int64 `json:"statuses"`
	Examples []string         `json:"examples"`
}

var (
	lock  sync.Mutex
	total = sums{Statuses: map[string]int64{}}
	left  atomic.Int64
)

func main() {
	plan := flag.String("plan", "", "file of requests")
	address := flag.String("address", "", "of the gateway")
	count := flag.Int64("requests", 1000, "how many")
	connections := flag.Int("connections", 16, "at a time")
	seed := flag.Uint64("seed", 1, "of the choice")
	flag.Parse()
	good, hostile := read(*plan)
	left.Store(*count)
	var all sync.WaitGroup
	for i := range *connections {
		all.Go(func() {
			work(*address, good, hostile, rand.New(rand.NewPCG(*seed, uint64(i))))
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for tick := time.Tick(time.Second); ; {
		select {
		case <-tick:
			tell()
		case <-done:
			tell()
			return
		}
	}
}

func tell() {
	lock.Lock()
	defer lock.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(total)
}

func read(path string) (good, hostile []request) {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	for in := json.NewDecoder(file); ; {
		var r request
		if err := in.Decode(&r); errors.Is(err, io.EOF) {
			return good, hostile
		} else if err != nil {
			log.Fatal(err)
		}
		if r.Hostile {
			hostile = append(hostile, r)
		} else {
			good = append(good, r)
		}
	}
}

// work sends requests on one connection after the other, half of them hostile.
func work(address string, good, hostile []request, dice *rand.Rand) {
	var conn net.Conn
	var in *bufio.Reader
	for left.Add(-1) >= 0 {
		list := good
		if dice.IntN(2) == 0 {
			list = hostile
		}
		r := &list[dice.IntN(len(list))]
		fresh := conn == nil
	again:
		if conn == nil {
			var err error
			if conn, err = net.Dial("tcp", address); err != nil {
				note(r, 0, nil, err)
				time.Sleep(50 * time.Millisecond)
				continue
			}
			in = bufio.NewReaderSize(conn, 64<<10)
		}
		status, answer, keep, err := ask(conn, in, r)
		if err != nil || !keep {
			_ = conn.Close()
			conn = nil
		}
		if err != nil && !fresh {
			// The connection had been closed before: that says nothing about the request.
			fresh = true
			goto again
		}
		note(r, status, answer, err)
	}
}

func ask(conn net.Conn, in *bufio.Reader, r *request) (int, []byte, bool, error) {
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(r.Raw); err != nil {
		return 0, nil, false, err
	}
	method := http.MethodGet
	if r.Head {
		method = http.MethodHead
	}
	for {
		answer, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return 0, nil, false, err
		}
		if answer.StatusCode < 200 && answer.StatusCode != 101 {
			continue
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return answer.StatusCode, body, false, err
		}
		if answer.Header.Get("Content-Encoding") == "gzip" {
			if plain, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
				body, _ = io.ReadAll(plain)
			}
		}
		for name, values := range answer.Header {
			body = fmt.Appendf(body, "\n%s: %s", name, values)
		}
		return answer.StatusCode, body, !answer.Close, nil
	}
}

func note(r *request, status int, answer []byte, err error) {
	lock.Lock()
	defer lock.Unlock()
	total.Done++
	total.Statuses[fmt.Sprint(status)]++
	if r.Hostile {
		total.Hostile++
	}
	for _, never := range r.Never {
		if bytes.Contains(answer, []byte(never)) {
			total.Leaks++
			example("leak", r, status, answer, err)
		}
	}
	switch {
	case err != nil && !r.Hostile:
		total.Broken++
		example("no answer", r, status, answer, err)
	case len(r.Statuses) > 0 && !slices.Contains(r.Statuses, status):
		total.Refused++
		example("status", r, status, answer, err)
	case status == 200:
		for _, must := range r.Must {
			if !bytes.Contains(answer, []byte(must)) {
				total.Missing++
				example("missing", r, status, answer, err)
			}
		}
	}
}

func example(what string, r *request, status int, answer []byte, err error) {
	if len(total.Examples) < 10 {
		total.Examples = append(total.Examples,
			fmt.Sprintf("%s: status %d, %v\n%.1500q\n%.800q", what, status, err, r.Raw, answer))
	}
}
