package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
)

// changed is a form of fields, two by two, with one exchanged or left out.
func changed(good []string, field, value string) url.Values {
	out := url.Values{}
	for i := 0; i < len(good); i += 2 {
		out.Set(good[i], good[i+1])
	}
	if out.Set(field, value); value == "" {
		out.Del(field)
	}
	return out
}

// What an owner's form may not say reaches nobody.
func TestRecoveryFormOfAnOwner(t *testing.T) {
	good := []string{"key", "aa:4b1", "receiver", "5c2", "reason", "服务器损坏"}
	for name, tc := range map[string]struct{ field, value string }{
		"no key": {"key", ""}, "no receiver": {"receiver", ""}, "no reason": {"reason", ""}, "a blank reason": {"reason", "  "},
		"a turned reason": {"reason", "a\u202eb"}, "a turned key": {"key", "aa:4\u200bb1"}, "a bell": {"reason", "a\ab"},
	} {
		h, d := newDesk(t)
		if w := h.ask(http.MethodPost, "/console/recovery", formType, changed(good, tc.field, tc.value).Encode()); w.Code != http.StatusBadRequest || len(d.acted) > 0 {
			t.Errorf("%s: %d, %v", name, w.Code, d.acted)
		}
	}
	h, d := newDesk(t)
	// What belongs to a legal order is not read from an owner's form.
	all := changed(good, "document", "样检调〔2026〕1号")
	all.Set("judicial", "true")
	if w := h.ask(http.MethodPost, "/console/recovery", formType, all.Encode()); w.Code != http.StatusSeeOther || len(d.acted) != 1 || d.acted[0] != "recover aa:4b1 5c2 false    服务器损坏" {
		t.Errorf("%d, %q", w.Code, d.acted)
	}
}

func TestRecoveryFormOfAJudge(t *testing.T) {
	scan := []byte("%PDF-样例")
	good := []string{"key", "aa:4b1", "receiver", "-----BEGIN CERTIFICATE-----", "document", "样检调〔2026〕1号", "authority", "样例区人民检察院", "reason", "调取证据"}
	send := func(h *house, values url.Values, scan []byte) int {
		var pairs []string
		for k := range values {
			pairs = append(pairs, k, values.Get(k))
		}
		body, mediaType := parts(t, "scan", "scan.pdf", scan, pairs...)
		return h.ask(http.MethodPost, "/console/recovery/judicial", mediaType, body).Code
	}
	for name, tc := range map[string]struct {
		field, value string
		scan         []byte
	}{
		"no key": {"key", "", scan}, "no certificate": {"receiver", "", scan}, "no document": {"document", "", scan}, "no authority": {"authority", "", scan},
		"no reason": {"reason", "", scan}, "a turned number": {"document", "1\u202e2", scan}, "a turned authority": {"authority", "\u2066院", scan},
		"no scan": {"reason", "调取证据", nil}, "an empty scan": {"reason", "调取证据", []byte{}},
	} {
		h, d := newDesk(t)
		if code := send(h, changed(good, tc.field, tc.value), tc.scan); code != http.StatusBadRequest || len(d.acted) > 0 {
			t.Errorf("%s: %d, %v", name, code, d.acted)
		}
	}
	h, d := newDesk(t)
	if code := send(h, changed(good, "reason", "调取证据"), scan); code != http.StatusSeeOther || len(d.acted) != 1 || !strings.Contains(d.acted[0], " true 样检调〔2026〕1号 样例区人民检察院 "+signer.Digest(scan)) {
		t.Errorf("%d, %q", code, d.acted)
	}
	if w := h.ask(http.MethodPost, "/console/recovery/judicial", formType, changed(good, "reason", "x").Encode()); w.Code != http.StatusBadRequest || len(d.acted) != 1 {
		t.Errorf("a form without files: %d", w.Code)
	}
}

// Answers need a yes or no and a PIN; nobody without the post gets as far.
func TestRecoveryAnswers(t *testing.T) {
	good := []string{"answer", "no", "digest", strings.Repeat("78", 32), "pin", "246810", "reason", "不符"}
	for name, field := range map[string]string{"no answer": "answer", "no PIN": "pin"} {
		h, d := newDesk(t)
		if w := h.ask(http.MethodPost, "/console/recovery/r-1/answer", formType, changed(good, field, "").Encode()); w.Code != http.StatusBadRequest || len(d.acted) > 0 {
			t.Errorf("%s: %d, %v", name, w.Code, d.acted)
		}
	}
	h, d := newDesk(t)
	if w := h.ask(http.MethodPost, "/console/recovery/r-1/answer", formType, changed(good, "answer", "perhaps").Encode()); w.Code != http.StatusBadRequest || len(d.acted) > 0 {
		t.Errorf("perhaps: %d", w.Code)
	}
	h.person.Pages = nil
	for _, path := range []string{"/console/recovery", "/console/recovery/judicial", "/console/recovery/r-1/answer", "/console/recovery/r-2/envelope"} {
		if w := h.ask(http.MethodPost, path, formType, changed(good, "answer", "yes").Encode()); w.Code != http.StatusForbidden || len(d.acted) > 0 {
			t.Errorf("%s without a post: %d, %v", path, w.Code, d.acted)
		}
	}
}
