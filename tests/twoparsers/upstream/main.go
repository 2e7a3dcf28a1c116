// Command upstream serves HTTP as Prometheus, Thanos and Alertmanager do, and tells what it saw.
//
// It listens on one port for each kind, with the router, the form parsing and the PromQL parser that
// the real servers use, and on a control port: GET /reports/PREFIX gives and forgets the reports of
// requests whose user agent begins with PREFIX, and those of requests that nobody announced.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Report is one request as a Go server reads it.
type Report struct {
	ID        string              `json:"id"`
	Kind      string              `json:"kind"`
	Endpoint  string              `json:"endpoint"`
	Argument  string              `json:"argument,omitempty"`
	Method    string              `json:"method"`
	Path      string              `json:"path"`
	Host      string              `json:"host"`
	Headers   map[string][]string `json:"headers"`
	Trailers  map[string][]string `json:"trailers,omitempty"`
	Query     map[string][]string `json:"query,omitempty"`
	PostForm  map[string][]string `json:"post_form,omitempty"`
	Form      map[string][]string `json:"form,omitempty"`
	Multipart bool                `json:"multipart,omitempty"`
	Value     map[string]string   `json:"value,omitempty"`
	FormError string              `json:"form_error,omitempty"`
	Aborted   bool                `json:"aborted,omitempty"` // the body ended before its end
	Length    int                 `json:"length"`
	Digest    string              `json:"digest,omitempty"`
	Selectors []Selectors         `json:"selectors,omitempty"`

	original *http.Request // trailers arrive there, not in its copies
}

// Selectors is what the PromQL parser makes of one parameter's value.
type Selectors struct {
	Parameter string     `json:"parameter"`
	Text      string     `json:"text"`
	Error     string     `json:"error,omitempty"`
	Sets      [][]string `json:"sets"`
}

type keyType struct{}

var (
	lock    sync.Mutex
	reports = map[string][]*Report{}
)

func main() {
	control := flag.String("control", "", "address of the control port")
	listen := map[string]*string{}
	for kind := range kinds {
		listen[kind] = flag.String(kind, "", "address to listen on")
	}
	flag.Parse()
	for kind, address := range listen {
		if *address != "" {
			go serve(*address, recorded(kind, kinds[kind]()))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/reports/{prefix}", give)
	serve(*control, mux)
}

func serve(address string, handler http.Handler) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, handler))
}

func give(w http.ResponseWriter, r *http.Request) {
	lock.Lock()
	out := append(reports[r.PathValue("prefix")], reports[""]...)
	delete(reports, r.PathValue("prefix"))
	delete(reports, "")
	lock.Unlock()
	if out == nil {
		out = []*Report{}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// recorded wraps a server's own routing: whatever a request becomes there, it is reported.
func recorded(kind string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(r.UserAgent(), " ") // a folded line may follow
		report := &Report{
			original: r, ID: id, Kind: kind, Method: r.Method, Path: r.URL.Path, Host: r.Host, Headers: r.Header.Clone(),
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyType{}, report)))
		if report.Endpoint == "" {
			report.Endpoint = "none"
			report.keep()
		}
	})
}

func (r *Report) keep() {
	prefix, _, found := strings.Cut(r.ID, "-")
	if !found || !strings.HasPrefix(prefix, "w") {
		prefix = ""
	}
	lock.Lock()
	defer lock.Unlock()
	reports[prefix] = append(reports[prefix], r)
}

// handler reads a request as the real handler of an endpoint does, and answers as an empty server.
func handler(endpoint string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		report := r.Context().Value(keyType{}).(*Report)
		report.Endpoint = endpoint
		report.Argument = route.Param(r.Context(), "name") + r.PathValue("name")
		switch endpoint {
		case "receive", "otlp", "remote_write", "remote_read", "am_post_silences", "am_post_alerts":
			body, err := io.ReadAll(r.Body)
			report.Aborted = err != nil
			report.body(body)
		default:
			report.form(r)
		}
		report.Trailers = report.original.Trailer
		report.keep()
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, answers[endpoint])
	}
}

// watched remembers that a body was cut off.
type watched struct {
	io.ReadCloser
	report *Report
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		w.report.Aborted = true
	}
	return n, err
}

func (r *Report) body(body []byte) {
	sum := sha256.Sum256(body)
	r.Length, r.Digest = len(body), hex.EncodeToString(sum[:])
}

// form reads parameters in the order of the real handlers: FormValue first, then the Form itself.
func (r *Report) form(req *http.Request) {
	r.Value = map[string]string{}
	req.Body = watched{req.Body, r}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		r.FormError = err.Error()
	}
	r.Query = query
	req.FormValue("query")
	if err := req.ParseForm(); err != nil {
		r.FormError = err.Error()
	}
	r.Form, r.PostForm, r.Multipart = req.Form, req.PostForm, req.MultipartForm != nil
	for name := range req.Form {
		r.Value[name] = req.FormValue(name)
	}
	rest, _ := io.ReadAll(req.Body)
	r.body(rest)
	for _, text := range req.Form["query"] {
		expr, err := promql.ParseExpr(text)
		found := Selectors{Parameter: "query", Text: text}
		if err != nil {
			found.Error = err.Error()
		} else {
			collect(reflect.ValueOf(expr), &found.Sets)
		}
		r.Selectors = append(r.Selectors, found)
	}
	for _, text := range req.Form["match[]"] {
		matchers, err := promql.ParseMetricSelector(text)
		found := Selectors{Parameter: "match[]", Text: text}
		if err != nil {
			found.Error = err.Error()
		} else {
			found.Sets = [][]string{matcherSet(matchers)}
		}
		r.Selectors = append(r.Selectors, found)
	}
}

var promql = parser.NewParser(parser.Options{
	EnableExperimentalFunctions: true,
	EnableBinopFillModifiers:    true,
	EnableUnquotedUTF8Names:     true,
})

// collect finds every selector, wherever a field of the tree holds one.
func collect(v reflect.Value, into *[][]string) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || v.Type() == reflect.TypeOf((*parser.Function)(nil)) {
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
		set = append(set, strconv.QuoteToASCII(m.Name)+m.Type.String()+strconv.QuoteToASCII(m.Value))
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// kinds are the servers' own ways from a request to a handler.
var kinds = map[string]func() http.Handler{
	"prometheus": func() http.Handler {
		mux, root, api := http.NewServeMux(), route.New(), route.New()
		both(root, "/federate", "federate")
		for _, other := range []string{"/metrics", "/config", "/flags", "/graph", "/debug/*rest", "/-/reload", "/-/quit", "/version"} {
			both(root, other, "other")
		}
		health(root)
		apis(api)
		both(api, "/format_query", "format_query")
		both(api, "/parse_query", "parse_query")
		api.Post("/read", handler("remote_read"))
		api.Post("/write", handler("remote_write"))
		api.Post("/otlp/v1/metrics", handler("otlp"))
		api.Post("/admin/tsdb/delete_series", handler("other"))
		mux.Handle("/", root)
		mux.Handle("/api/v1/", http.StripPrefix("/api/v1", api))
		return mux
	},
	"thanos": func() http.Handler {
		root := route.New()
		health(root)
		both(root, "/metrics", "other")
		api := root.WithPrefix("/api/v1")
		apis(api)
		both(api, "/query_explain", "query_explain")
		both(api, "/query_range_explain", "query_range_explain")
		both(api, "/stores", "other")
		return root
	},
	"receive": func() http.Handler {
		root := route.New()
		health(root)
		root.Post("/api/v1/receive", handler("receive"))
		root.Post("/api/v1/otlp", handler("otlp"))
		return root
	},
	"alertmanager": func() http.Handler { return http.HandlerFunc(alertmanager) },
}

func both(r *route.Router, path, endpoint string) {
	r.Get(path, handler(endpoint))
	r.Post(path, handler(endpoint))
	r.Options(path, handler(endpoint))
	r.Head(path, handler(endpoint))
}

func health(r *route.Router) {
	for _, name := range []string{"healthy", "ready"} {
		r.Get("/-/"+name, handler(name))
		r.Head("/-/"+name, handler(name))
	}
}

func apis(r *route.Router) {
	for _, name := range []string{"query", "query_range", "query_exemplars", "series", "labels", "rules", "alerts", "metadata", "targets", "features"} {
		both(r, "/"+name, name)
	}
	both(r, "/label/:name/values", "label_values")
	both(r, "/status/buildinfo", "buildinfo")
	for _, other := range []string{"/status/config", "/status/flags", "/status/tsdb", "/targets/metadata", "/alertmanagers", "/scrape_pools"} {
		both(r, other, "other")
	}
}

// alertmanager routes by the cleaned path, as its generated server does.
func alertmanager(w http.ResponseWriter, r *http.Request) {
	clean, get := path.Clean(r.URL.Path), r.Method == http.MethodGet
	name, isSilence := strings.CutPrefix(clean, "/api/v2/silence/")
	switch {
	case clean == "/-/healthy" || clean == "/-/ready":
		handler(clean[3:])(w, r)
	case clean == "/api/v2/alerts" && get:
		handler("am_alerts")(w, r)
	case clean == "/api/v2/alerts":
		handler("am_post_alerts")(w, r)
	case clean == "/api/v2/alerts/groups":
		handler("am_alert_groups")(w, r)
	case clean == "/api/v2/silences" && get:
		handler("am_silences")(w, r)
	case clean == "/api/v2/silences":
		handler("am_post_silences")(w, r)
	case isSilence && r.UserAgent() == "":
		// The filter's own look-up: the silence is team-a's.
		r.Context().Value(keyType{}).(*Report).Endpoint = "lookup"
		w.Header().Set("content-type", "application/json")
		fmt.Fprintf(w, silence, name)
	case isSilence && r.Method == http.MethodDelete:
		r.SetPathValue("name", name)
		handler("am_delete_silence")(w, r)
	case isSilence:
		r.SetPathValue("name", name)
		handler("am_silence")(w, r)
	case strings.HasPrefix(clean, "/api/v2/"), clean == "/metrics":
		handler("other")(w, r)
	default:
		http.NotFound(w, r)
	}
}

const silence = `{"id":%q,"status":{"state":"active"},"updatedAt":"2026-01-01T00:00:00Z","comment":"c","createdBy":"c",` +
	`"startsAt":"2026-01-01T00:00:00Z","endsAt":"2036-01-01T00:00:00Z",` +
	`"matchers":[{"name":"tenant_id","value":"team-a","isRegex":false,"isEqual":true}]}`

const list = `{"status":"success","data":[]}`

var answers = map[string]string{
	"query":           `{"status":"success","data":{"resultType":"vector","result":[]}}`,
	"query_range":     `{"status":"success","data":{"resultType":"matrix","result":[]}}`,
	"query_exemplars": list, "series": list, "labels": list, "label_values": list,
	"rules":         `{"status":"success","data":{"groups":[]}}`,
	"alerts":        `{"status":"success","data":{"alerts":[]}}`,
	"metadata":      `{"status":"success","data":{}}`,
	"targets":       `{"status":"success","data":{"activeTargets":[],"droppedTargets":[]}}`,
	"buildinfo":     `{"status":"success","data":{}}`,
	"features":      `{"status":"success","data":{}}`,
	"format_query":  `{"status":"success","data":"up"}`,
	"parse_query":   `{"status":"success","data":{}}`,
	"query_explain": `{"status":"success","data":{}}`, "query_range_explain": `{"status":"success","data":{}}`,
	"am_alerts": "[]", "am_alert_groups": "[]", "am_silences": "[]",
	"am_silence":       fmt.Sprintf(silence, "00000000-0000-4000-8000-000000000001"),
	"am_post_silences": `{"silenceID":"00000000-0000-4000-8000-000000000001"}`,
}
