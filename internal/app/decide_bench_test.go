//go:build linux

package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/version"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/workday"
	"github.com/yinxin-gov/yinxin/policies"
)

// opaShape gives a stock server the input that policies/core reads: JSON has no
// sets, so the lists that are sets become some. "bare" is the
// work of that alone, "nothing" none.
const opaShape = `package sidecar
set(list) := {x | some x in list}
shaped := object.union(input, {
	"fields": set(input.fields),
	"subject": object.union(input.subject, {"roles": set(input.subject.roles), "duties": set(input.subject.duties)}),
	"target": object.union(input.target, {"duties": set(input.target.duties)}),
	"result": object.union(input.result, {"tags": set(input.result.tags)}),
	"sources": [object.union(s, {"items": set(s.items), "tags": set(s.tags)}) | some s in input.sources],
})
allow if count(data.yinxin.core.deny) == 0 with input as shaped
bare if count(shaped.sources) > 0
nothing := true
`

// opaInput is the question of the benchmark with its facts, as the house puts it to
// its core: the sidecar looks nothing up.
const opaInput = `{"input":{"action":"read","purpose":"relief","now":1795000000000,"fields":["name"],
"subject":{"type":"system","id":"reader","known":true,"agency":"%[1]s","system":"reader","graded":true,"expired":false,"s":3,"a":3,"roles":[],"left":false,"duties":["relief"]},
"target":{"id":"","known":false,"graded":false,"expired":false,"s":0,"a":0,"agency":"","duties":[]},"carriers":[],
"sources":[{"id":"list-%[2]d","known":true,"resource":"list-%[2]d","provider":"%[3]s","share":"proactive","regime":"xicheng-2014","reviewed":true,"items":["name","amount","street"],
"defect":"","level":2,"s":2,"a":2,"tags":[],"public":false,"holder":"","agreement":"","ended":false,"user":"%[1]s"}],
"agreements":[],"grants":[],"standings":[],"holdings":[],"result":{"stated":false,"level":0,"s":0,"a":0,"tags":[]},"new_grade":{"s":0,"a":0}}}`

const wireResources = 1000

// BenchmarkDecideOverTheWire is the budget of design §10 for a decision over mTLS with
// kept connections: at least three times stock OPA as a sidecar over plain HTTP, with the
// same rules and as many connections, in the same run; median of five rounds in turn.
// The house proves the caller's certificate, finds the facts, evaluates its three guards
// and writes an entry to the disk before it answers; the sidecar gets the facts with the
// question and keeps nothing. "ratio" is by the clock, "cpu-ratio" by processor time
// (client, server and all), which a busy machine does not change; "cpu-ratio-bare" spares
// the sidecar the making of sets. YINXIN_OPA names the stock program, else it is built.
func BenchmarkDecideOverTheWire(b *testing.B) {
	const connections, rounds, each = 16, 5, 2000
	w := newWire(b, connections)
	o := startOPA(b, w, connections)
	lanes := []*lane{
		{name: "house", ask: w.ask}, {name: "opa", ask: o.asks("allow", w), child: o.cpu},
		{name: "bare", ask: o.asks("bare", w), child: o.cpu}, {name: "nothing", ask: o.asks("nothing", w), child: o.cpu},
	}
	for b.Loop() {
		for range rounds {
			for _, l := range lanes {
				l.run(b, connections, each)
			}
		}
	}
	house, opa, sets := lanes[0], lanes[1], max(median(lanes[2].cpu)-median(lanes[3].cpu), 0)
	for _, l := range lanes[:2] {
		b.ReportMetric(1e6/median(l.wall), l.name+"/s")
		b.ReportMetric(median(l.cpu), l.name+"-cpu-us")
	}
	b.ReportMetric(median(opa.wall)/median(house.wall), "ratio")
	b.ReportMetric(median(opa.cpu)/median(house.cpu), "cpu-ratio")
	b.ReportMetric((median(opa.cpu)-sets)/median(house.cpu), "cpu-ratio-bare")
}

// BenchmarkDecideLatency asks 1,000 questions a second, each at its time whether or not
// the one before was answered, and reports the 99th of 100 latencies: at most 10 ms.
func BenchmarkDecideLatency(b *testing.B) {
	const connections, n = 64, 5000
	w := newWire(b, connections)
	for b.Loop() {
		took := make([]float64, n)
		var wg sync.WaitGroup
		start := time.Now()
		for i := range n {
			due := start.Add(time.Duration(i) * time.Millisecond)
			time.Sleep(time.Until(due))
			wg.Go(func() {
				if err := w.ask(i); err != nil {
					b.Error(err)
				}
				took[i] = float64(time.Since(due).Microseconds()) / 1000
			})
		}
		wg.Wait()
		slices.Sort(took)
		b.ReportMetric(took[n/2], "p50-ms")
		b.ReportMetric(took[n*99/100], "p99-ms")
	}
}

// lane is one way to put the questions; microseconds of each round.
type lane struct {
	name      string
	ask       func(i int) error
	child     func() time.Duration // processor time of a server beside; nil: none
	wall, cpu []float64
}

func (l *lane) run(b *testing.B, connections, n int) {
	b.Helper()
	spent := func() time.Duration {
		d := cpuTime(b)
		if l.child != nil {
			d += l.child()
		}
		return d
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	before, start := spent(), time.Now()
	for range connections {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := l.ask(i); err != nil {
					b.Error(l.name, err)
					return
				}
			}
		})
	}
	wg.Wait()
	l.wall = append(l.wall, float64(time.Since(start).Microseconds())/float64(n))
	l.cpu = append(l.cpu, float64((spent()-before).Microseconds())/float64(n))
}

func median(v []float64) float64 { s := slices.Sorted(slices.Values(v)); return s[len(s)/2] }

// posted sends a question over a kept connection and looks for want in the answer.
func posted(c *http.Client, url, question, want string) error {
	r, err := c.Post(url, "application/json", strings.NewReader(question))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if answer, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(want)) {
		return fmt.Errorf("%d %.300s %w", r.StatusCode, answer, err)
	}
	return nil
}

// wireHouse is a house that serves, with a system that may read what another unit shares.
type wireHouse struct {
	client        *http.Client
	url           string
	own, provider identity.USCC
}

func newWire(b *testing.B, connections int) *wireHouse {
	b.Helper()
	cfg, ln := config(b, "")
	cfg.Duties = []string{"relief"}
	h, _, err := Found(bg, cfg, three)
	ok(b, err)
	serving(b, h, ln)
	w := &wireHouse{url: "https://" + cfg.Public + wire.PathOPA, own: identity.USCC(cfg.USCC)}
	w.provider, err = identity.SampleUSCC("110100", 10)
	ok(b, err)
	now := time.Now().UTC()
	_, err = h.rooms.Identity.AddAgency(bg, identity.Agency{USCC: w.provider, Name: "样例民政局", Kind: identity.KindOrgan, District: "110100", Sample: true, CreatedAt: now}, benchEvent("agency"))
	ok(b, err)
	reader := identity.System{ID: "reader", Name: "低保系统", Agency: w.own, Hosts: []string{"reader.gov.internal"}, Sample: true, CreatedAt: now}
	_, err = h.rooms.Identity.AddSystem(bg, reader, benchEvent(reader.ID))
	ok(b, err)
	_, err = h.rooms.Grading.AddGrading(bg, grading.Record{
		System: reader.ID, Version: 1, Grade: level.Grade{S: 3, A: 3}, Reason: "定级报告", State: grading.StateCertified, BuildingUnit: w.own,
		Filing: "11010213-00001", DecidedOn: now.AddDate(0, -2, 0), AssessedOn: now.AddDate(0, -1, 0), ValidUntil: now.AddDate(1, 0, 0), Sample: true,
	}, benchEvent(reader.ID))
	ok(b, err)
	for _, kind := range []grading.ClearanceKind{grading.ClearanceAcceptance, grading.ClearanceReview} {
		_, err = h.rooms.Grading.AddClearance(bg, grading.Clearance{
			System: reader.ID, Kind: kind, Number: "样例记录", Passed: true, On: workday.Of(now.AddDate(0, -2, 0)), By: "样例", Report: strings.Repeat("ab", 32), RecordedBy: "p-1", RecordedAt: now,
		}, benchEvent(reader.ID))
		ok(b, err)
	}
	label, err := level.New(2, 2, 2)
	ok(b, err)
	for i := range wireResources {
		id := fmt.Sprint("list-", i)
		_, err = h.rooms.Sharing.AddResource(bg, sharing.Resource{
			ID: id, Name: "低保名单", Provider: w.provider, Label: label, ShareType: sharing.ShareProactive, Regime: sharing.RegimeXicheng2014,
			Items: []string{"name", "amount", "street"}, SecrecyReview: "密审-1", Basis: "样例", UpdatedAt: now, Sample: true,
		}, benchEvent(id))
		ok(b, err)
	}
	integrated(b, h)
	dir := filepath.Join(b.TempDir(), "reader")
	tlsRoot, sm2Root := h.Roots()
	a, err := agent.Enrol(bg, agent.Config{URL: "https://" + cfg.Public, Dir: dir, TLSRoot: tlsRoot, SM2Root: sm2Root}, benchToken(b, h, h.rooms.CA, reader, ca.PurposeProduction))
	ok(b, err)
	a.Close()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.FileTLSCert), filepath.Join(dir, agent.FileTLSKey))
	ok(b, err)
	roots := x509.NewCertPool()
	roots.AddCert(tlsRoot)
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
	for i := range wireResources {
		ok(b, w.ask(i))
	}
	return w
}

func (w *wireHouse) ask(i int) error {
	return posted(w.client, w.url, fmt.Sprintf(`{"input":{"subject_type":"system","subject_id":"reader","action":"read","resource":"list-%d","purpose":"relief","fields":["name"]}}`, i%wireResources), `"allow":true`)
}

// stockOPA is a server of the version that this program embeds.
type stockOPA struct {
	cmd    *exec.Cmd
	client *http.Client
	url    string
}

func startOPA(b *testing.B, w *wireHouse, connections int) *stockOPA {
	b.Helper()
	dir := b.TempDir()
	program := os.Getenv("YINXIN_OPA")
	if program == "" {
		program = filepath.Join(dir, "opa")
		build := exec.CommandContext(b.Context(), "go", "install", "github.com/open-policy-agent/opa@v"+version.Version)
		build.Env = append(os.Environ(), "GOBIN="+dir)
		if out, err := build.CombinedOutput(); err != nil {
			b.Skipf("stock OPA cannot be built: %v %.300s", err, out)
		}
	}
	rules := filepath.Join(dir, "rules")
	ok(b, os.Mkdir(rules, 0o700))
	core, err := fs.Sub(policies.Files(), "core")
	ok(b, err)
	ok(b, os.CopyFS(rules, core))
	ok(b, os.WriteFile(filepath.Join(rules, "sidecar.rego"), []byte(opaShape), 0o600))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(b, err)
	addr := ln.Addr().String()
	ok(b, ln.Close())
	o := &stockOPA{
		cmd:    exec.CommandContext(b.Context(), program, "run", "--server", "--addr", addr, "--log-level", "error", "--skip-version-check", rules),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}, url: "http://" + addr + "/v1/data/sidecar/",
	}
	ok(b, o.cmd.Start())
	b.Cleanup(func() { _ = o.cmd.Process.Kill(); _ = o.cmd.Wait() })
	for range 300 {
		if r, err := o.client.Get("http://" + addr + "/health"); err == nil {
			_ = r.Body.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	// The rules are really asked: nobody reads what may not be shared.
	if err := posted(o.client, o.url+"allow", strings.Replace(o.question(w, 0), `"share":"proactive"`, `"share":"none"`, 1), `"result"`); err == nil {
		b.Fatal("the sidecar permits what is not shared")
	}
	return o
}

func (o *stockOPA) question(w *wireHouse, i int) string {
	return fmt.Sprintf(opaInput, w.own, i%wireResources, w.provider)
}

func (o *stockOPA) asks(rule string, w *wireHouse) func(int) error {
	return func(i int) error { return posted(o.client, o.url+rule, o.question(w, i), `"result":true`) }
}

// cpu is the processor time of the sidecar so far, in hundredths of a second.
func (o *stockOPA) cpu() time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	var ticks time.Duration
	for _, f := range strings.Fields(rest)[11:13] {
		n, _ := strconv.Atoi(f)
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}
