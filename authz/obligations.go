package authz

import (
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Kinds of obligations.
const (
	ObligeLabel     = "label"     // stamp this label on the result; level.Parse reads it
	ObligeWatermark = "watermark" // show this text on every page or screen
	ObligeExpiry    = "expiry"    // RFC 3339; use and keep only before
	ObligeFields    = "fields"    // comma-separated information items to hand out
	ObligeMask      = "mask"      // "how item": hand out this information item hidden, as a hash or partial only
	ObligeCitation  = "citation"  // "resource provider": consent and source note before citing
	ObligeReview    = "review"    // "grant time": opened in an emergency; log each access, report for review before
)

// obligations are computed here, never in Rego: a rule can refuse, but only the
// sealed part says what a permit binds to.
func (v view) obligations(decisionID string) []Obligation {
	if v.req.Action == ActionRegrade {
		return nil
	}
	out := []Obligation{
		{ObligeLabel, v.effective().String()},
		{ObligeWatermark, v.receiver().Name + " " + decisionID},
	}
	var ends []time.Time
	rests := v.restsOn()
	for _, g := range rests {
		ends = append(ends, g.Until)
	}
	for _, a := range v.agreements() {
		ends = append(ends, a.NotAfter)
	}
	for _, s := range v.sources {
		if h := s.item.Holding; h != nil && !h.Until.IsZero() {
			ends = append(ends, h.Until)
		}
	}
	if len(ends) > 0 {
		out = append(out, Obligation{ObligeExpiry, slices.MinFunc(ends, time.Time.Compare).UTC().Format(time.RFC3339)})
	}
	if fields := v.fields(); len(fields) > 0 {
		out = append(out, Obligation{ObligeFields, strings.Join(fields, ",")})
	}
	out = append(out, v.masks()...)
	for _, g := range rests {
		if g.Emergency {
			out[1].Value = "紧急授权 EMERGENCY " + out[1].Value
			out = append(out, Obligation{ObligeReview, g.ID + " " + g.ReviewDue.UTC().Format(time.RFC3339)})
		}
	}
	for _, s := range v.sources {
		r := s.item.Resource
		if r.Regime == sharing.RegimeBeijing2017 && v.user(s) != "" {
			out = append(out, Obligation{ObligeCitation, r.ID + " " + string(r.Provider)})
		}
	}
	return out
}

// effective is the label of the result: the join of all sources, or the higher
// one that the caller asked for.
func (v view) effective() level.Label {
	labels := make([]level.Label, len(v.sources))
	for i, s := range v.sources {
		labels[i] = s.label()
	}
	return level.Effective(labels, v.req.TargetLabel)
}

// fields are those asked for; when none are named, all that the agreements
// grant. None at all means the whole resource.
func (v view) fields() []string {
	out := slices.Clone(v.req.Fields)
	if len(out) == 0 {
		for _, a := range v.agreements() {
			out = append(out, a.Fields...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
