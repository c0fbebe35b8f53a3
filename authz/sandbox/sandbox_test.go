package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain makes the test binary its own child, as main of the program does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		os.Exit(Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

const head = "package yinxin.app\n\ndefault allow := false\n\n"

func source(src string) Source {
	return Source{
		Modules: map[string]string{"a.rego": src}, Data: json.RawMessage(`{"big":[1,2,3],"roles":{"bob":"admin"}}`),
		Rules: Rules{Package: "yinxin.app", Data: "domain", Result: "allow", Also: []string{"reasons"}, Max: 64 << 10},
	}
}

func runner(t *testing.T, cfg Config, src Source) *Runner {
	t.Helper()
	r, err := New(cfg, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestEval(t *testing.T) {
	r := runner(t, Config{}, source(head+`allow if data.domain.roles[input.who] == "admin"

reasons contains "NOT_ADMIN" if not data.domain.roles[input.who] == "admin"
`))
	for in, want := range map[string]string{
		`{"who":"bob"}`: "true []", `{"who":"alice"}`: `false ["NOT_ADMIN"]`, `{}`: "false []", `{"who":["bob"]}`: `false ["NOT_ADMIN"]`,
	} {
		out, err := r.Eval(t.Context(), json.RawMessage(in))
		if got := string(out["allow"]) + " " + string(out["reasons"]); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := r.Eval(t.Context(), json.RawMessage(`{`)); !errors.Is(err, ErrEval) {
		t.Errorf("half a question: %v", err)
	}
	if _, err := r.Eval(t.Context(), make(json.RawMessage, MaxQuestion+1)); !errors.Is(err, ErrSize) {
		t.Errorf("a large question: %v", err)
	}
}

// What a source may not do, through the child (reference attacks of the gate).
func TestChildRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ src, rule string }{
		"http.send":            {head + "allow if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})", "authz.gate.builtin"},
		"opa.runtime":          {head + "allow if opa.runtime().env", "authz.gate.builtin"},
		"clock":                {head + "allow if time.now_ns() > 1", "authz.gate.builtin"},
		"generator":            {head + "allow if count(numbers.range(1, 1e9)) > 1", "authz.gate.builtin"},
		"with":                 {head + "allow if input.a with input.a as true", "authz.gate.with"},
		"data of another":      {head + "allow if data.other.x", "authz.gate.data"},
		"the whole of data":    {head + "allow if {\n\tx := data\n\tx.domain\n}", "authz.gate.data"},
		"own and another":      {head + "allow if data.domain.x == data[input.y]", "authz.gate.data"},
		"a computed name":      {head + "allow if data[input.x].y", "authz.gate.data"},
		"data imported":        {"package yinxin.app\n\nimport data.domain as d\n\ndefault allow := false\n", "authz.gate.import"},
		"package of the core":  {"package yinxin.core\n\ndefault allow := true\n", "authz.gate.package"},
		"package of the site":  {"package yinxin.site\n\ndefault allow := true\n", "authz.gate.package"},
		"package of the data":  {"package domain\n\ndefault allow := true\n", "authz.gate.package"},
		"no default":           {"package yinxin.app\n\nallow if input.a\n", "authz.gate.out"},
		"allow is a set":       {head + "allow contains \"x\" if input.a", "authz.gate.out"},
		"allow is an object":   {head + "allow.x := 1", "authz.gate.out"},
		"recursion":            {head + "allow if f(1)\n\nf(x) := f(x)", "authz.gate.compile"},
		"order of types":       {head + "allow if input.level >= \"1\"", "authz.gate.order"},
		"too large":            {head + strings.Repeat("# x\n", 20_000), "authz.gate.size"},
		"nothing":              {"", "authz.gate.parse"},
		"nested without end":   {head + "allow if x == " + strings.Repeat("[", 5_000), "authz.gate.parse"},
		"a typo of the schema": {head + "allow if input.whom == 1", "authz.gate.compile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := source(tc.src)
			src.Schema = json.RawMessage(`{"type":"object","properties":{"who":{"type":"string"},"a":{},"x":{},"y":{},"level":{}},"additionalProperties":false}`)
			err := runner(t, Config{}, src).Load(t.Context())
			var gate *GateError
			if !errors.As(err, &gate) || gate.Findings[0].File != "a.rego" && tc.rule != "authz.gate.out" || !strings.Contains(err.Error(), tc.rule) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A loop ends by the clock and the child lives on; a bomb ends the child, which rests
// and comes back. Meanwhile another runner answers.
func TestLoopsAndBombs(t *testing.T) {
	loop := "count([1 | data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]; data.domain.big[_]]) < 1"
	src := source(head + "allow if input.fine\n\nallow if {\n\tinput.loop\n\t" + loop + "\n}\n\n" +
		"allow if {\n\tinput.bomb\n\ta := concat(\"\", [input.text, input.text, input.text, input.text, input.text, input.text, input.text, input.text])\n" +
		"\tb := concat(\"\", [a, a, a, a, a, a, a, a])\n\tc := concat(\"\", [b, b, b, b, b, b, b, b])\n\td := concat(\"\", [c, c, c, c, c, c, c, c])\n\tconcat(\"\", [d, d, d, d]) == \"\"\n}\n")
	clock := time.Now()
	var mu sync.Mutex
	cfg := Config{Limits: Limits{Memory: 96 << 20, Eval: 20 * time.Second}, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }}
	r, other := runner(t, cfg, src), runner(t, cfg, src)
	fine := json.RawMessage(`{"fine":true}`)
	ask := func(r *Runner, in json.RawMessage) (string, error) {
		out, err := r.Eval(t.Context(), in)
		return string(out["allow"]), err
	}
	short := runner(t, Config{}, src)
	if _, err := ask(short, json.RawMessage(`{"loop":true}`)); !errors.Is(err, ErrTime) {
		t.Fatalf("loop: %v", err)
	}
	if got, err := ask(short, fine); got != "true" || err != nil || short.failed != 0 {
		t.Fatalf("after a loop: %s %v", got, err)
	}
	if got, err := ask(r, fine); got != "true" || err != nil {
		t.Fatalf("another child after a loop: %s %v", got, err)
	}
	text := strings.Repeat("x", 100<<10)
	bomb := json.RawMessage(`{"bomb":true,"text":"` + text + `"}`)
	if _, err := ask(r, bomb); !errors.Is(err, ErrMemory) {
		t.Fatalf("bomb: %v", err)
	}
	if _, err := ask(r, fine); !errors.Is(err, ErrResting) || !errors.Is(err, ErrMemory) {
		t.Fatalf("no rest after a bomb: %v", err)
	}
	if got, err := ask(other, fine); got != "true" || err != nil {
		t.Fatalf("another source: %s %v", got, err)
	}
	mu.Lock()
	clock = clock.Add(time.Second)
	mu.Unlock()
	if got, err := ask(r, fine); got != "true" || err != nil {
		t.Fatalf("after the rest: %s %v", got, err)
	}
}

// Tests see their own input and the rules of the source; the source never sees tests.
func TestTests(t *testing.T) {
	src := source(head + "allow if f(input.who)\n\nf(x) if data.domain.roles[x] == \"admin\"")
	src.Tests = map[string]string{"a_test.rego": "package yinxin.app\n\ntest_bob if allow with input as {\"who\": \"bob\"}\n\ntest_alice if allow with input as {\"who\": \"alice\"}\n\ntest_f if f(\"bob\")\n"}
	out, err := runner(t, Config{}, src).Test(t.Context())
	if err != nil || len(out) != 3 || !out[1].Pass || !out[2].Pass || out[0].Pass || out[0].Name != "test_alice" || out[0].Detail != "undefined" {
		t.Fatalf("%+v %v", out, err)
	}
	for name, test := range map[string]string{
		"a rule of the source":   "package yinxin.app\n\nallow if true\n",
		"with data":              "package yinxin.app\n\ntest_a if allow with data.domain as {}\n",
		"with a rule":            "package yinxin.app\n\ntest_a if allow with f as 1\n",
		"of another package":     "package yinxin.app_test\n\ntest_a if true\n",
		"a builtin out of reach": "package yinxin.app\n\ntest_a if opa.runtime()\n",
	} {
		src.Tests = map[string]string{"a_test.rego": test}
		var gate *GateError
		if _, err := runner(t, Config{}, src).Test(t.Context()); !errors.As(err, &gate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A child whose parent is killed ends with it.
func TestChildDiesWithItsParent(t *testing.T) {
	if os.Getenv("SANDBOX_PARENT") == "1" {
		r, err := New(Config{}, source(head))
		if err == nil {
			err = r.Load(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("child " + itoa(r.child.cmd.Process.Pid) + "\n"); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithItsParent$")
	cmd.Env = append(os.Environ(), "SANDBOX_PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(said.String(), "\n") {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			t.Fatal(err, said.String())
		}
	}
	pid := strings.TrimSpace(strings.TrimPrefix(said.String(), "child "))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(until) {
			t.Fatal("the child lives on: " + string(stat))
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// A queue is bounded, a caller who leaves leaves the others alone, and a closed
// runner says so.
func TestQueue(t *testing.T) {
	r := runner(t, Config{Limits: Limits{Wait: 1}}, source(head))
	r.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := r.Eval(ctx, json.RawMessage(`{}`)); gone <- err }()
	for r.waiting.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := r.Eval(t.Context(), json.RawMessage(`{}`)); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-r.turn
	if _, err := r.Eval(t.Context(), json.RawMessage(`{}`)); err != nil {
		t.Errorf("%v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Eval(t.Context(), json.RawMessage(`{}`)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// A child that says something else than a frame, too much, or nothing, is ended.
func TestStrangeChildren(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		want   error
	}{
		"says nothing": {"exec sleep 60", ErrTime}, "ends": {"exit 3", ErrCrashed}, "announces 4 GB": {`printf '\377\377\377\377'; sleep 60`, ErrCrashed},
		"says no JSON": {`printf '\000\000\000\002{{'; sleep 60`, ErrCrashed},
	} {
		r := runner(t, Config{Program: []string{"/bin/sh", "-c", tc.script, "sh"}, Limits: Limits{Load: 300 * time.Millisecond}}, source(head))
		if err := r.Load(t.Context()); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if r.child != nil {
			t.Errorf("%s: is still there", name)
		}
	}
}

func FuzzGate(f *testing.F) {
	for _, s := range []string{head, head + "allow if data.domain.x", "package x", head + "allow if f(1)\n\nf(x) := x", head + "allow if input.a with input.a as data"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse("f.rego", []byte(s), source("").Rules)
		var gate *GateError
		if (m == nil) == (err == nil) && err == nil || err != nil && !errors.As(err, &gate) {
			t.Fatalf("%v %v", m, err)
		}
	})
}
