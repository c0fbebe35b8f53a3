package wire

import (
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// PathNotices is what changes of level ask of the calling system; + "/{act}/{copy}".
const PathNotices = "/api/v1/notices"

// Notice says what the change of a label means for a copy, and what was done about it.
type Notice struct {
	ID       string      `json:"id" doc:"act/copy"`
	Act      string      `json:"act"`
	Copy     string      `json:"copy"`
	Kind     string      `json:"kind" enum:"relabel,remove" doc:"remove: the system does not carry the new label; the signed statement of destruction answers it"`
	Before   level.Label `json:"before"`
	After    level.Label `json:"after"`
	Due      time.Time   `json:"due"`
	Overdue  bool        `json:"overdue,omitempty"`
	Done     time.Time   `json:"done,omitzero"`
	By       string      `json:"by,omitempty"`
	Evidence string      `json:"evidence_sm3,omitempty"`
	Note     string      `json:"note,omitempty"`
}

// Notices is a page, by id.
type Notices struct {
	Notices []Notice `json:"notices"`
	Next    string   `json:"next,omitempty" doc:"after of the next page"`
}

// FollowRequest reports what was done about a copy.
type FollowRequest struct {
	Evidence string `json:"evidence_sm3" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]{64}$" doc:"of the record that proves it"`
	Note     string `json:"note" minLength:"1" maxLength:"400"`
}
