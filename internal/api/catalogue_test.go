package api

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

func (h *house) Import(_ context.Context, a ledger.Actor, format sharing.EntryFormat, data []byte, why string, dry bool) (sharing.Imported, ledger.Receipt, error) {
	h.calls++
	if a.ID != "civil-a" || string(data) != "entries" || why == "" {
		h.t.Errorf("import by %+v of %q for %q", a, data, why)
	}
	out := sharing.Imported{Entries: 2, Added: 1, DryRun: dry}
	if format == sharing.FormatJSON {
		out.Wrong = []sharing.LineError{{Line: 2, Field: "label", Code: sharing.LineLowered}}
	}
	return out, ledger.Receipt{}, h.err
}

func (h *house) Entry(_ context.Context, id string) (sharing.Entry, []sharing.Change, error) {
	h.calls++
	return sharing.Entry{Resource: sharing.Resource{ID: id, Label: level.Label{Level: 2, RequiredS: 2, RequiredA: 2}}}, []sharing.Change{{Revision: 1, Why: "首次"}}, h.err
}

func (h *house) Find(_ context.Context, q sharing.EntryQuery) ([]sharing.Entry, error) {
	h.calls++
	return []sharing.Entry{{Resource: sharing.Resource{ID: q.Text + "1"}}, {Resource: sharing.Resource{ID: q.Text + "2"}}}[:min(q.Limit, 2)], h.err
}

func (h *house) Withhold(_ context.Context, a ledger.Actor, w sharing.Withheld) (sharing.Withheld, ledger.Receipt, error) {
	h.calls++
	w.Provider = identity.USCC(a.Unit)
	return w, ledger.Receipt{}, h.err
}

func (h *house) WithheldBy(context.Context, identity.USCC) ([]sharing.Withheld, error) {
	h.calls++
	return []sharing.Withheld{{ID: "w"}}, h.err
}

func (h *house) Of(_ context.Context, _ ledger.Actor, resource, _ string, _ int) ([]sharing.Copy, error) {
	h.calls++
	return []sharing.Copy{{Holding: sharing.Holding{ID: "h-1", Resource: resource}, Due: time.Unix(1, 0)}}, h.err
}

func (h *house) In(_ context.Context, system, _ string, _ int) ([]sharing.Copy, error) {
	h.calls++
	return []sharing.Copy{{Holding: sharing.Holding{ID: "h-1", System: system}}}, h.err
}

func (h *house) Lineage(_ context.Context, _ ledger.Actor, id string) (sharing.Lineage, error) {
	h.calls++
	return sharing.Lineage{Copies: []sharing.Holding{{ID: id}}, Made: [][2]string{{"h-0", id}}}, h.err
}

func (h *house) Destroyed(_ context.Context, _ ledger.Actor, d sharing.Destruction) (sharing.Destruction, ledger.Receipt, error) {
	h.calls++
	return d, ledger.Receipt{}, h.err
}

func (h *house) Keep(_ context.Context, a ledger.Actor, k exchange.KeepRequest) (sharing.Holding, authz.Decision, error) {
	h.calls++
	return sharing.Holding{ID: "h-9", System: a.ID, Sources: k.Sources}, authz.Decision{}, h.err
}

func (h *house) Recall(_ context.Context, _ ledger.Actor, task sharing.Task) (sharing.Task, ledger.Receipt, error) {
	h.calls++
	return task, ledger.Receipt{}, h.err
}

func (h *house) On(_ context.Context, system, after string, _ int) ([]reclass.Notice, error) {
	h.calls++
	return []reclass.Notice{{ID: after + "act-1/h-1", System: system, Kind: reclass.Remove, Due: time.Unix(1, 0)}}, h.err
}

func (h *house) Acknowledge(_ context.Context, id, evidence, note string, a ledger.Actor) (reclass.Notice, ledger.Receipt, error) {
	h.calls++
	if id == "act-1/other" {
		return reclass.Notice{}, ledger.Receipt{}, reclass.ErrForbidden
	}
	if id == "act-1/kept" {
		return reclass.Notice{}, ledger.Receipt{}, reclass.ErrKept
	}
	return reclass.Notice{ID: id, DoneBy: a.ID, Evidence: evidence, Note: note}, ledger.Receipt{}, h.err
}

// The catalogue and the copies over HTTP: enrolled systems only, faults with their
// texts, pages with the way on.
func TestCatalogueOverHTTP(t *testing.T) {
	h := newHouse(t)
	do := func(method, path, media, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(testPeer, "1")
		if media != "" {
			req.Header.Set("Content-Type", media)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		return resp.StatusCode, b.String()
	}
	at := "2026-03-01T00:00:00Z"
	for name, c := range map[string]struct {
		method, path, media, body string
		status                    int
		want                      string
	}{
		"import":             {"POST", wire.PathCatalogue + "/import?why=x", "text/csv", "entries", 200, `"done":true`},
		"dry run":            {"POST", wire.PathCatalogue + "/import?why=x&dry_run=true", "text/csv; charset=utf-8", "entries", 200, `"done":false`},
		"faults":             {"POST", wire.PathCatalogue + "/import?why=x", "application/json", "entries", 200, "安全标识低于现有标识"},
		"no reason":          {"POST", wire.PathCatalogue + "/import", "text/csv", "entries", 422, "request.invalid"},
		"list":               {"GET", wire.PathCatalogue + "?q=r&limit=2", "", "", 200, `"next":"r2"`},
		"the last page":      {"GET", wire.PathCatalogue + "?q=r&limit=3", "", "", 200, `"id":"r2"`},
		"entry":              {"GET", wire.PathCatalogue + "/r-1", "", "", 200, `"why":"首次"`},
		"copies":             {"GET", wire.PathCatalogue + "/r-1/copies", "", "", 200, `"overdue":true`},
		"withheld":           {"GET", wire.PathCatalogue + "/withheld", "", "", 200, `"id":"w"`},
		"withhold":           {"POST", wire.PathCatalogue + "/withheld", "application/json", `{"name":"a","reason":"b","statement_sm3":"` + strings.Repeat("a", 64) + `"}`, 200, `"name":"a"`},
		"kept":               {"GET", wire.PathHoldings, "", "", 200, `"system":"civil-a"`},
		"lineage":            {"GET", wire.PathHoldings + "/h-1/lineage", "", "", 200, `"from":"h-0"`},
		"destroyed":          {"POST", wire.PathHoldings + "/h-1/destruction", "application/json", `{"method":"x","at":"` + at + `","signature":"AAAAAAAAAAAAAAAA"}`, 200, `"evidence_sm3"`},
		"keep":               {"POST", wire.PathHoldings, "application/json", `{"sources":["h-1","h-2"],"purpose":"p","payload_sm3":"` + strings.Repeat("a", 64) + `"}`, 201, `"sources":["h-1","h-2"]`},
		"recall":             {"POST", wire.PathHoldings + "/h-1/recall", "application/json", `{"due":"` + at + `","note":"x"}`, 200, `"why":"provider"`},
		"notices":            {"GET", wire.PathNotices + "?after=x&limit=1", "", "", 200, `"next":"xact-1/h-1"`},
		"overdue":            {"GET", wire.PathNotices, "", "", 200, `"overdue":true`},
		"followed":           {"POST", wire.PathNotices + "/act-1/h-1", "application/json", `{"evidence_sm3":"` + strings.Repeat("a", 64) + `","note":"已标注"}`, 200, `"by":"civil-a"`},
		"another's notice":   {"POST", wire.PathNotices + "/act-1/other", "application/json", `{"evidence_sm3":"` + strings.Repeat("a", 64) + `","note":"x"}`, 404, "notice.unknown"},
		"still there":        {"POST", wire.PathNotices + "/act-1/kept", "application/json", `{"evidence_sm3":"` + strings.Repeat("a", 64) + `","note":"x"}`, 409, "notice.kept"},
		"upper-case hex":     {"POST", wire.PathNotices + "/act-1/h-1", "application/json", `{"evidence_sm3":"` + strings.Repeat("A", 64) + `","note":"x"}`, 422, "request.invalid"},
		"an unknown field":   {"POST", wire.PathHoldings + "/h-1/recall", "application/json", `{"due":"` + at + `","note":"x","by":"y"}`, 422, "request.invalid"},
		"too many at a time": {"GET", wire.PathCatalogue + "?limit=100000", "", "", 422, "request.invalid"},
	} {
		status, body := do(c.method, c.path, c.media, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	resp, err := http.Get(h.url + wire.PathCatalogue)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger reads the catalogue: %d", resp.StatusCode)
	}
}

// What an agent signs is what the register verifies.
func TestDestructionPayloadIsTheStatement(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 5e6, time.FixedZone("CST", 8*3600))
	for _, method := range []string{"逐位覆盖", `a "b" \c <d>&`, "/"} {
		d := sharing.Destruction{Holding: "h-1", Payload: strings.Repeat("a", 64), System: "civil-a", Method: method, At: at}
		if got := wire.DestructionPayload(d.Holding, d.Payload, d.System, method, at); !bytes.Equal(got, d.Statement()) {
			t.Errorf("%s\nwant\n%s", got, d.Statement())
		}
	}
}
