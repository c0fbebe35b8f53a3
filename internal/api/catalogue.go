package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Catalogue is the catalogue with its metadata (authz/sharing): every enrolled system
// reads it, a system of the provider writes its own entries.
type Catalogue interface {
	Import(ctx context.Context, actor ledger.Actor, format sharing.EntryFormat, data []byte, why string, dry bool) (sharing.Imported, ledger.Receipt, error)
	Entry(ctx context.Context, id string) (sharing.Entry, []sharing.Change, error)
	Find(ctx context.Context, q sharing.EntryQuery) ([]sharing.Entry, error)
	Withhold(ctx context.Context, actor ledger.Actor, w sharing.Withheld) (sharing.Withheld, ledger.Receipt, error)
	WithheldBy(ctx context.Context, provider identity.USCC) ([]sharing.Withheld, error)
}

func (h *handlers) catalogueRoutes(a huma.API, op func(id, method, path, summary string, maxBody int64) huma.Operation, large func(huma.Operation) huma.Operation) {
	huma.Register(a, op("catalogue", http.MethodGet, wire.PathCatalogue, "Entries of the catalogue", 0), h.entries)
	imports := large(op("catalogue-import", http.MethodPost, wire.PathCatalogue+"/import", "Import entries of the calling system's unit, all or none", sharing.MaxEntryFile))
	huma.Register(a, imports, h.importEntries)
	huma.Register(a, op("withhold", http.MethodPost, wire.PathCatalogue+"/withheld", "State that a resource is kept out of the catalogue", maxJSON), h.withhold)
	huma.Register(a, op("withheld", http.MethodGet, wire.PathCatalogue+"/withheld", "What the calling system's unit keeps out of the catalogue", 0), h.withheld)
	huma.Register(a, op("catalogue-entry", http.MethodGet, wire.PathCatalogue+"/{id}", "An entry with its changes", 0), h.entry)
	huma.Register(a, op("copies", http.MethodGet, wire.PathCatalogue+"/{id}/copies", "Every copy of a resource, for its provider", 0), h.copiesOf)
}

type entriesInput struct {
	Text     string `query:"q" maxLength:"200" doc:"in name or code"`
	Provider string `query:"provider" maxLength:"18"`
	After    string `query:"after" maxLength:"128" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (h *handlers) entries(ctx context.Context, in *entriesInput) (*body[wire.Entries], error) {
	all, err := h.cfg.Catalogue.Find(ctx, sharing.EntryQuery{Text: in.Text, Provider: identity.USCC(in.Provider), After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := wire.Entries{Entries: make([]wire.Entry, len(all))}
	for i, e := range all {
		out.Entries[i] = wireEntry(e)
	}
	if len(all) == in.Limit {
		out.Next = all[len(all)-1].ID
	}
	return &body[wire.Entries]{out}, nil
}

type entryInput struct {
	ID string `path:"id" maxLength:"128"`
}

func (h *handlers) entry(ctx context.Context, in *entryInput) (*body[wire.Entry], error) {
	e, changes, err := h.cfg.Catalogue.Entry(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := wireEntry(e)
	for _, c := range changes {
		out.Changes = append(out.Changes, wire.Change{Revision: c.Revision, By: c.By, Unit: string(c.Unit), Why: c.Why, At: c.At, Event: c.Event})
	}
	return &body[wire.Entry]{out}, nil
}

type importInput struct {
	DryRun  bool   `query:"dry_run" doc:"only say what would happen"`
	Why     string `query:"why" required:"true" minLength:"1" maxLength:"400" doc:"reason, for the history of the entries"`
	Type    string `header:"Content-Type"`
	RawBody []byte `contentType:"text/csv"`
}

// codeLines: a file of entries with faults by line.
const codeLines = "catalogue.lines"

// importEntries refuses a file with faults, tried or not, and names each line: nothing
// of it is registered, state secrets least of all (密码法 art. 8).
func (h *handlers) importEntries(ctx context.Context, in *importInput) (*body[wire.Imported], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	format := sharing.FormatCSV
	if media, _, _ := strings.Cut(in.Type, ";"); strings.TrimSpace(media) == "application/json" {
		format = sharing.FormatJSON
	}
	got, _, err := h.cfg.Catalogue.Import(ctx, actor, format, in.RawBody, in.Why, in.DryRun)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := wire.Imported{
		Entries: got.Entries, Added: got.Added, Changed: got.Changed, Unchanged: got.Unchanged, DryRun: got.DryRun, Done: !got.DryRun && len(got.Wrong) == 0,
	}
	for _, w := range got.Wrong {
		t := h.cfg.Words.Get("catalogue.line." + w.Code)
		out.Wrong = append(out.Wrong, wire.LineError{Line: w.Line, Field: w.Field, Code: w.Code, Zh: t.Zh, En: t.En})
	}
	if len(out.Wrong) > 0 {
		code := codeLines
		if slices.ContainsFunc(got.Wrong, func(w sharing.LineError) bool { return w.Code == sharing.LineStateSecret }) {
			code = "state_secret"
		}
		p := h.words(ctx, http.StatusUnprocessableEntity, code)
		p.Import = &out
		return nil, p
	}
	return &body[wire.Imported]{out}, nil
}

func (h *handlers) withhold(ctx context.Context, in *body[wire.WithheldRequest]) (*body[wire.Withheld], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	w, _, err := h.cfg.Catalogue.Withhold(ctx, actor, sharing.Withheld{Name: in.Body.Name, Reason: in.Body.Reason, Statement: in.Body.Statement})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Withheld]{wireWithheld(w)}, nil
}

func (h *handlers) withheld(ctx context.Context, _ *struct{}) (*body[[]wire.Withheld], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	all, err := h.cfg.Catalogue.WithheldBy(ctx, identity.USCC(actor.Unit))
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := make([]wire.Withheld, len(all))
	for i, w := range all {
		out[i] = wireWithheld(w)
	}
	return &body[[]wire.Withheld]{out}, nil
}

func wireWithheld(w sharing.Withheld) wire.Withheld {
	return wire.Withheld{ID: w.ID, Provider: string(w.Provider), Name: w.Name, Reason: w.Reason, Statement: w.Statement, At: w.At}
}

func wireEntry(e sharing.Entry) wire.Entry {
	out := wire.Entry{
		ID: e.ID, Code: e.Code, Name: e.Name, Provider: string(e.Provider), Category: e.Category, Summary: e.Summary, Format: e.Format, Items: e.Items, ItemTypes: e.ItemTypes,
		Regime: string(e.Regime), ShareType: string(e.ShareType), Conditions: e.Conditions, Manner: e.Manner, Open: e.Open, Cycle: e.Cycle, Related: e.Related,
		System: e.System, Contact: e.Contact, Label: e.Label, SecrecyReview: e.SecrecyReview, Basis: e.Basis, Approval: e.Approval, Filing: e.Filing, PIA: e.PIA,
		DefectNotice: e.DefectNotice, UpdatedAt: e.UpdatedAt, Sample: e.Sample,
	}
	for _, t := range e.ItemTags {
		out.ItemTags = append(out.ItemTags, wire.ItemTag{Item: t.Item, Tags: t.Tags, Mask: string(t.Mask)})
	}
	if e.Published != 0 {
		out.Published = e.Published.String()
	}
	return out
}
