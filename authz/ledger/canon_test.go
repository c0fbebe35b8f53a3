package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

func fullEvent() ledger.Event {
	return ledger.Event{
		ID: "0190-a", Type: "exchange.transfer.sent", Class: ledger.ClassPersonal,
		Time:   time.Date(2026, 1, 2, 11, 4, 5, 678900000, time.FixedZone("CST", 8*3600)),
		Actor:  ledger.Actor{Kind: "person", ID: "p-1", Unit: "11330000MB0000000X", Role: "clerk", Certificate: "0a"},
		Object: ledger.Object{Kind: "transfer", ID: "t\"\\1"}, Action: "send", Purpose: "e\u0301 <&>", Outcome: ledger.Success,
		Decision: "allow", Reasons: []string{"b", "a"}, Before: "L2", After: "L3", Target: "sys-9", Agreement: "ag-1",
		Payload: strings.Repeat("ab", 32), Request: "r-1", Policy: strings.Repeat("0f", 32),
		Details: map[string]string{"z_1": "", "a": "库"},
	}
}

// TestCanonicalForm pins RFC 8785 with our limits: order, escapes, NFC, time.
func TestCanonicalForm(t *testing.T) {
	body, err := ledger.Encode(fullEvent())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"action":"send","actor":{"certificate":"0a","id":"p-1","kind":"person","role":"clerk","unit":"11330000MB0000000X"},` +
		`"agreement":"ag-1","class":4,"decision":"allow","details":{"a":"库","z_1":""},"id":"0190-a","label_after":"L3","label_before":"L2",` +
		`"object":{"id":"t\"\\1","kind":"transfer"},"outcome":"success","payload_sm3":"` + strings.Repeat("ab", 32) +
		`","policy_digest":"` + strings.Repeat("0f", 32) + "\",\"purpose\":\"\u00e9 <&>\"," +
		`"reasons":["b","a"],"request_id":"r-1","target":"sys-9","time":"2026-01-02T03:04:05.678Z","type":"exchange.transfer.sent"}`
	if string(body) != want {
		t.Fatalf("\n%s\n%s", body, want)
	}
	// Every member of Event is written: the JSON of the struct has the same keys.
	raw, err := json.Marshal(fullEvent())
	if err != nil {
		t.Fatal(err)
	}
	var a, b map[string]any
	if json.Unmarshal(raw, &a) != nil || json.Unmarshal(body, &b) != nil || len(a) != len(b) {
		t.Fatalf("%d members of Event, %d in the body", len(a), len(b))
	}
	e, err := ledger.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ledger.Encode(e); err != nil || !bytes.Equal(again, body) {
		t.Fatalf("%s, %v", again, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, edit := range map[string]func(e *ledger.Event){
		"no id":              func(e *ledger.Event) { e.ID = "" },
		"id with a quote":    func(e *ledger.Event) { e.ID = `a"b` },
		"long id":            func(e *ledger.Event) { e.ID = strings.Repeat("a", 129) },
		"no type":            func(e *ledger.Event) { e.Type = "" },
		"type of one word":   func(e *ledger.Event) { e.Type = "issued" },
		"type in capitals":   func(e *ledger.Event) { e.Type = "ca.Issued" },
		"type ends in a dot": func(e *ledger.Event) { e.Type = "ca.issued." },
		"class 0":            func(e *ledger.Event) { e.Class = 0 },
		"class 9":            func(e *ledger.Event) { e.Class = 9 },
		"no time":            func(e *ledger.Event) { e.Time = time.Time{} },
		"year 10000":         func(e *ledger.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no actor":           func(e *ledger.Event) { e.Actor = ledger.Actor{} },
		"actor kind":         func(e *ledger.Event) { e.Actor.Kind = "robot" },
		"no actor id":        func(e *ledger.Event) { e.Actor.ID = "" },
		"no object":          func(e *ledger.Event) { e.Object = ledger.Object{} },
		"bad outcome":        func(e *ledger.Event) { e.Outcome = "ok" },
		"no outcome":         func(e *ledger.Event) { e.Outcome = "" },
		"bad decision":       func(e *ledger.Event) { e.Decision = "maybe" },
		"payload upper case": func(e *ledger.Event) { e.Payload = strings.Repeat("AB", 32) },
		"policy too short":   func(e *ledger.Event) { e.Policy = "ab" },
		"line end":           func(e *ledger.Event) { e.Purpose = "a\nb" },
		"delete character":   func(e *ledger.Event) { e.Purpose = "a\x7fb" },
		"C1 control":         func(e *ledger.Event) { e.Purpose = "a\u0085b" },
		"reading direction":  func(e *ledger.Event) { e.Purpose = "a\u202eb" },
		"not UTF-8":          func(e *ledger.Event) { e.Purpose = "a\xffb" },
		"empty reason":       func(e *ledger.Event) { e.Reasons = []string{""} },
		"details key":        func(e *ledger.Event) { e.Details = map[string]string{"Key": "v"} },
		"details value":      func(e *ledger.Event) { e.Details = map[string]string{"k": "\x00"} },
		"too many reasons":   func(e *ledger.Event) { e.Reasons = slicesOf("r", 65) },
		"over 64 KiB":        func(e *ledger.Event) { e.Purpose = strings.Repeat("a", ledger.MaxBody) },
	} {
		e := ledgertest.Event("a")
		edit(&e)
		if _, err := ledger.Encode(e); !errors.Is(err, ledger.ErrInvalidEvent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func slicesOf(s string, n int) []string { return strings.Split(strings.Repeat(s+" ", n-1)+s, " ") }

// TestDecodeRefuses: attack 26, one meaning has one form.
func TestDecodeRefuses(t *testing.T) {
	body, err := ledger.Encode(fullEvent())
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	swap := func(old, now string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in the body", old)
		}
		return strings.Replace(text, old, now, 1)
	}
	for name, bad := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "not closed": text[:len(text)-1], "trailing": text + " ", "two": text + text,
		"unknown key":      swap(`{"action"`, `{"aaa":"x","action"`),
		"duplicate key":    swap(`{"action":"send"`, `{"action":"x","action":"send"`),
		"other case":       swap(`"action"`, `"Action"`),
		"other order":      swap(`{"action":"send","actor"`, `{"agreement":"x","action":"send","actor"`),
		"empty member":     swap(`"target":"sys-9"`, `"target":""`),
		"null member":      swap(`"target":"sys-9"`, `"target":null`),
		"space":            swap(`"class":4`, `"class": 4`),
		"float":            swap(`"class":4`, `"class":4.0`),
		"exponent":         swap(`"class":4`, `"class":4e0`),
		"escaped slash":    swap(`"send"`, `"\u0073end"`),
		"HTML escape":      swap(`<&>`, `\u003c&>`),
		"NFD":              swap("\u00e9", "e\u0301"),
		"byte order mark":  "\ufeff" + text,
		"time with zone":   swap("2026-01-02T03:04:05.678Z", "2026-01-02T11:04:05.678+08:00"),
		"time without ms":  swap("05.678Z", "05Z"),
		"time, more":       swap("05.678Z", "05.6780Z"),
		"invalid event":    swap(`"success"`, `"maybe"`),
		"deep":             strings.Repeat("[", 20000),
		"over 64 KiB":      text + strings.Repeat(" ", ledger.MaxBody),
		"surrogate escape": swap(`"send"`, `"\ud800"`),
	} {
		if _, err := ledger.Decode([]byte(bad)); !errors.Is(err, ledger.ErrInvalidEvent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCanon(f *testing.F) {
	body, err := ledger.Encode(fullEvent())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"id":"a"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ledger.Decode(b)
		if err != nil {
			return
		}
		again, err := ledger.Encode(e)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q decodes and encodes to %q, %v", b, again, err)
		}
	})
}

// FuzzEncode: what Encode lets through, Decode takes, and it says the same.
func FuzzEncode(f *testing.F) {
	f.Add("id", "目的", "k", "v")
	f.Add("a.b:c-d", "e\u0301\u1100\u1161", "k_1", `"\`)
	f.Fuzz(func(t *testing.T, id, purpose, key, value string) {
		e := ledgertest.Event(id)
		e.Purpose, e.Details = purpose, map[string]string{key: value}
		body, err := ledger.Encode(e)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("not JSON: %q", body)
		}
		if _, err := ledger.Decode(body); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
	})
}
