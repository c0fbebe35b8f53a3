package notify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// envelope is CloudEvents 1.0 in its JSON form.
type envelope struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"` // of the notice: one for all channels
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject"`
	Time        time.Time `json:"time"`
	ContentType string    `json:"datacontenttype"`
	Data        data      `json:"data"`
}

type data struct {
	Severity string            `json:"severity"`
	Unit     string            `json:"unit,omitempty"`
	System   string            `json:"system,omitempty"`
	Object   ledger.Object     `json:"object"`
	Details  map[string]string `json:"details,omitempty"`
	Text     text.Text         `json:"text"`
}

// typePrefix stands before the kind in the type of an event.
const typePrefix = "yinxin."

func (s *Service) body(d Delivery) ([]byte, error) {
	raw, err := json.Marshal(envelope{
		SpecVersion: "1.0", ID: d.ID, Source: s.cfg.Source, Type: typePrefix + string(d.Kind), Subject: d.Object.Kind + "/" + d.Object.ID,
		Time: d.At.UTC(), ContentType: "application/json",
		Data: data{Severity: d.Severity.String(), Unit: d.Unit, System: d.System, Object: d.Object, Details: d.Details, Text: s.sentence(d.Notice)},
	})
	if err != nil {
		return nil, fmt.Errorf("notify: encode: %w", err)
	}
	return raw, nil
}

// sentence is a notice for people.
func (s *Service) sentence(n Notice) text.Text {
	of := n.System
	if of == "" {
		of = n.Object.ID
	}
	t := s.cfg.Words.Get("notify.said." + string(n.Kind))
	return t.Fill("of", text.Plain(of), "at", n.At.In(china).Format("2006-01-02 15:04"), "days", n.Details["days"], "date", n.Details["date"])
}

// china has one zone and no summer time.
var china = time.FixedZone("UTC+8", 8*3600)
