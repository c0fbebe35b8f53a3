package authzen

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
)

const resources = `{"subject":{"type":"system","id":"a1"},"action":{"name":"read"},"resource":{"type":"resource"}}`

// What a search of the house shows, and what stands on the ledger of it.
func TestSearchOfTheHouse(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, caller, body string
		want               string // ids or names, joined
		candidates         string
	}{
		"what a strong system reads": {"resource", "a1", resources, "r1 r3", "2"},
		"what a weak system reads":   {"resource", "a2", strings.Replace(resources, `"a1"`, `"a2"`, 1), "r1", "2"},
		"properties are no facts":    {"resource", "a2", strings.Replace(resources, `"a1"`, `"a2","properties":{"grade":{"s":5,"a":5}}`, 1), "r1", "2"},
		"who reads it":               {"subject", "a1", `{"subject":{"type":"system"},"action":{"name":"read"},"resource":{"type":"resource","id":"r3"}}`, "a1", "2"},
		"what may be done with it":   {"action", "a1", `{"subject":{"type":"system","id":"a1"},"resource":{"type":"resource","id":"r3"}}`, "carry copy derive merge read store", "10"},
		"another agency's subject":   {"resource", "b1", resources, "", "0"},
		"an unknown subject":         {"resource", "a1", strings.Replace(resources, `"a1"`, `"a9"`, 1), "", "0"},
		"an unknown caller":          {"subject", "a9", `{"subject":{"type":"system"},"action":{"name":"read"},"resource":{"type":"resource","id":"r3"}}`, "", "0"},
		"an unknown type":            {"resource", "a1", strings.Replace(resources, `"type":"resource"`, `"type":"robot"`, 1), "", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := &register{}
			w := post(serve(t, reg), PathSearch+tc.kind, tc.caller, tc.body, "X-Request-ID", "s-1")
			var out found
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.Results == nil {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			var got []string
			for _, r := range out.Results {
				got = append(got, r["id"]+r["name"])
			}
			if strings.Join(got, " ") != tc.want || out.Page.NextToken != "" || out.Page.Count != len(got) {
				t.Fatalf("%s", w.Body)
			}
			if len(reg.events) != 1 || reg.events[0].Type != authz.EventSearch || reg.events[0].Details["candidates"] != tc.candidates ||
				reg.events[0].Details["permitted"] != fmt.Sprint(len(got)) || reg.events[0].Actor.ID != tc.caller ||
				reg.events[0].ID != out.Context.ID || reg.events[0].Request != "s-1" {
				t.Fatalf("%+v", reg.events)
			}
		})
	}
}

// All pages together are all results, each once; a page may be short when few
// of many candidates are permitted.
func TestSearchPages(t *testing.T) {
	reg := &register{more: 2*maxScan + 7}
	h := serve(t, reg)
	seen, token, pages := map[string]bool{}, "", 0
	body := func(page string) string { return strings.TrimSuffix(resources, "}") + `,"page":` + page + `}` }
	for page := `{}`; ; page = `{"token":"` + token + `"}` {
		w := post(h, PathSearch+"resource", "a1", body(page))
		var out found
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || len(out.Results) > maxPage {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, r := range out.Results {
			if seen[r["id"]] {
				t.Fatalf("%s twice", r["id"])
			}
			seen[r["id"]] = true
		}
		pages++
		if token = out.Page.NextToken; token == "" {
			break
		}
	}
	if len(seen) != reg.more+2 || pages != (reg.more+2+maxPage-1)/maxPage || len(reg.events) != pages {
		t.Fatalf("%d results on %d pages, %d events", len(seen), pages, len(reg.events))
	}
	// Nothing may be published: the page is empty, and the scan goes on behind it.
	w := post(h, PathSearch+"resource", "a1", strings.Replace(body(`{}`), `"read"`, `"publish"`, 1))
	var out found
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Results) != 0 || out.Page.NextToken == "" {
		t.Fatalf("%s", w.Body)
	}
}

// A token continues the query it was given out for, for the one who asked.
func TestTokenIsBoundToItsQuery(t *testing.T) {
	h := serve(t, &register{more: 5})
	first := func(body string) string {
		w := post(h, PathSearch+"resource", "a1", strings.TrimSuffix(body, "}")+`,"page":{"limit":2}}`)
		var out found
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Page.NextToken == "" {
			t.Fatalf("%s", w.Body)
		}
		return out.Page.NextToken
	}
	token := first(resources)
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"q":"AAAA","a":"r1","l":2}`))
	for name, tc := range map[string]struct {
		kind, caller, body, token string
		status                    int
	}{
		"the same":        {"resource", "a1", resources, token, 200},
		"the searched id": {"resource", "a1", strings.Replace(resources, `"type":"resource"`, `"type":"resource","id":"r1"`, 1), token, 200},
		"unknown members": {"resource", "a1", strings.Replace(resources, `{"subject"`, `{"x":1,"subject"`, 1), token, 200},
		"another subject": {"resource", "a1", strings.Replace(resources, `"a1"`, `"a2"`, 1), token, 400},
		"another action":  {"resource", "a1", strings.Replace(resources, "read", "copy", 1), token, 400},
		"another context": {"resource", "a1", strings.TrimSuffix(resources, "}") + `,"context":{"purpose":"x"}}`, token, 400},
		"another caller":  {"resource", "a2", resources, token, 400},
		"another kind":    {"subject", "a1", strings.Replace(resources, `"type":"resource"`, `"type":"resource","id":"r1"`, 1), token, 400},
		"cut":             {"resource", "a1", resources, token[:len(token)-4], 400},
		"no base64":       {"resource", "a1", resources, "%%", 400},
		"forged":          {"resource", "a1", resources, forged, 400},
		"no JSON inside":  {"resource", "a1", resources, base64.RawURLEncoding.EncodeToString([]byte("x")), 400},
	} {
		w := post(h, PathSearch+tc.kind, tc.caller, strings.TrimSuffix(tc.body, "}")+`,"page":{"token":"`+tc.token+`"}}`)
		if w.Code != tc.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for page, status := range map[string]int{
		`{"limit":1}`: 200, `{"limit":100000}`: 200, `{"properties":{"sort":"id"}}`: 200, `null`: 200, `{"limit":0}`: 200,
		`{"limit":-1}`: 400, `{"limit":"2"}`: 400, `{"limit":1.5}`: 400, `{"token":7}`: 400, `[]`: 400,
	} {
		w := post(h, PathSearch+"resource", "a1", strings.TrimSuffix(resources, "}")+`,"page":`+page+`}`)
		if w.Code != status {
			t.Errorf("%s: %d %s", page, w.Code, w.Body)
		}
	}
}

// X14-29: what fails shows nothing.
func TestSearchFailure(t *testing.T) {
	reg := &register{}
	h := serve(t, reg)
	if w := post(h, PathSearch+"resource", "", resources); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
	if w := post(h, PathSearch+"resource", "a1", strings.TrimSuffix(resources, "}")+`,"context":{"purpose":"\u0000"}}`); w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	reg.failing = errors.New("secret detail")
	if w := post(h, PathSearch+"resource", "a1", resources); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
