package wire

import (
	"strings"
	"testing"
)

const goodHeader = `{"transfer":"t","receiver":"r","system":"s","label":{"level":3,"required_s":3,"required_a":3},"decision":"d","document_sm3":"x","name":"n","resource":"p","sent_at":"2026-07-01T09:00:00Z"}`

func TestParseHeader(t *testing.T) {
	h, err := ParseHeader([]byte(goodHeader))
	if err != nil || h.Transfer != "t" || h.Label.Level != 3 {
		t.Fatalf("%+v, %v", h, err)
	}
	b, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseHeader(b); err != nil || again.SentAt != h.SentAt || again.Label.String() != h.Label.String() {
		t.Fatalf("%+v, %v", again, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "unknown field": strings.Replace(goodHeader, `"name"`, `"nickname"`, 1), "more after it": goodHeader + "{}",
		"level 9": strings.Replace(goodHeader, `"level":3`, `"level":9`, 1), "no label": `{"transfer":"t"}`,
		"state secret": strings.Replace(goodHeader, `"level":3`, `"tags":["机密"],"level":3`, 1),
	} {
		if _, err := ParseHeader([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// The payload of a receipt is a contract with systems that are not ours.
func TestReceiptPayload(t *testing.T) {
	if got := string(ReceiptPayload("id", "ab")); got != "yinxin/receipt/v1\nid\nab\n" {
		t.Fatalf("%q", got)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte(goodHeader))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHeader(b); err == nil && h.Label.Validate() != nil {
			t.Fatal("an invalid label got through")
		}
	})
}
