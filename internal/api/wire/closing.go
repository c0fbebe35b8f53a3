package wire

import "time"

// PathClosing says whether the certification service ends (电子签名法 art. 23).
const PathClosing = "/pki/closing"

// Closing is the announced end of the certification service, for programs.
type Closing struct {
	Phase        string    `json:"phase" doc:"open, closing, suspended, stopped or ended"`
	Mode         string    `json:"mode,omitempty" doc:"suspend or end"`
	At           time.Time `json:"at,omitzero" doc:"the first moment without service; no certificate outlives it"`
	Reason       string    `json:"reason,omitempty"`
	Successor    string    `json:"successor,omitempty" doc:"who takes over; empty: arranged by the department in charge"`
	Announcement string    `json:"announcement_sm3,omitempty" doc:"digest that two persons signed"`
	Announced    time.Time `json:"announced_at,omitzero"`
	Taker        string    `json:"taken_over_by,omitempty"`
	Protocol     string    `json:"protocol_sm3,omitempty" doc:"of the hand-over"`
}
