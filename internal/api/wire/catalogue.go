package wire

import (
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// Paths of the catalogue and of copies.
const (
	PathCatalogue       = "/api/v1/catalogue" // + "/{id}", "/{id}/copies", "/import", "/withheld"
	PathHoldings        = "/api/v1/holdings"  // of the calling system; + "/{id}/destruction", "/{id}/recall", "/{id}/lineage"
	DestructionTimeForm = "2006-01-02T15:04:05.000Z"
)

// Entry is an entry of the catalogue with its core metadata (发改高技〔2017〕1272号).
type Entry struct {
	ID            string      `json:"id"`
	Code          string      `json:"code" doc:"信息资源代码"`
	Name          string      `json:"name"`
	Provider      string      `json:"provider" doc:"unified social credit code"`
	Category      string      `json:"category,omitempty"`
	Summary       string      `json:"summary,omitempty"`
	Format        string      `json:"format,omitempty"`
	Items         []string    `json:"items" doc:"信息项"`
	ItemTypes     []string    `json:"item_types,omitempty"`
	ItemTags      []ItemTag   `json:"item_tags,omitempty" doc:"信息项标识"`
	Regime        string      `json:"regime"`
	ShareType     string      `json:"share_type"`
	Conditions    string      `json:"conditions,omitempty"`
	Manner        string      `json:"manner,omitempty"`
	Open          string      `json:"open,omitempty"`
	Cycle         string      `json:"cycle,omitempty" doc:"更新周期"`
	Published     string      `json:"published,omitempty"`
	Related       []string    `json:"related,omitempty"`
	System        string      `json:"system,omitempty" doc:"the system that carries it"`
	Contact       string      `json:"contact,omitempty"`
	Label         level.Label `json:"label"`
	SecrecyReview string      `json:"secrecy_review,omitempty"`
	Basis         string      `json:"basis,omitempty"`
	Approval      string      `json:"approval,omitempty"`
	Filing        string      `json:"filing,omitempty"`
	PIA           string      `json:"pia_ref,omitempty" doc:"个人信息保护影响评估"`
	DefectNotice  string      `json:"defect_notice,omitempty" doc:"瑕疵告知, SM3"`
	UpdatedAt     time.Time   `json:"updated_at,omitzero"`
	Sample        bool        `json:"sample,omitempty"`
	Changes       []Change    `json:"changes,omitempty" doc:"newest first; of a single entry only"`
}

// ItemTag says what a single information item is, and how it is shown to who may not
// have it in clear: hidden, hash or partial.
type ItemTag struct {
	Item string      `json:"item"`
	Tags []level.Tag `json:"tags"`
	Mask string      `json:"mask"`
}

// Change of an entry: who made it when, and why.
type Change struct {
	Revision int       `json:"revision"`
	By       string    `json:"by"`
	Unit     string    `json:"unit"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
	Event    string    `json:"event" doc:"entry of the ledger"`
}

// Entries is a page of the catalogue.
type Entries struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"next,omitempty" doc:"after of the next page"`
}

// Imported is the outcome of an import: with wrong lines nothing was imported.
type Imported struct {
	Entries   int         `json:"entries"`
	Added     int         `json:"added"`
	Changed   int         `json:"changed"`
	Unchanged int         `json:"unchanged"`
	DryRun    bool        `json:"dry_run"`
	Done      bool        `json:"done" doc:"the catalogue is as the file says"`
	Wrong     []LineError `json:"wrong,omitempty"`
}

// LineError is what is wrong with one line of a file.
type LineError struct {
	Line  int    `json:"line"`
	Field string `json:"field"`
	Code  string `json:"code"`
	Zh    string `json:"zh"`
	En    string `json:"en"`
}

// WithheldRequest states that a resource is kept out of the catalogue.
type WithheldRequest struct {
	Name      string `json:"name" minLength:"1" maxLength:"200"`
	Reason    string `json:"reason" minLength:"1" maxLength:"800"`
	Statement string `json:"statement_sm3" minLength:"64" maxLength:"64" doc:"of the sealed statement"`
}

// Withheld is such a statement.
type Withheld struct {
	ID        string    `json:"id"`
	Provider  string    `json:"provider"`
	Name      string    `json:"name"`
	Reason    string    `json:"reason"`
	Statement string    `json:"statement_sm3"`
	At        time.Time `json:"at"`
}

// Copy is a copy that a system keeps or kept.
type Copy struct {
	ID        string      `json:"id"`
	System    string      `json:"system"`
	Agency    string      `json:"agency"`
	Resource  string      `json:"resource"`
	Agreement string      `json:"agreement,omitempty"`
	Sources   []string    `json:"sources,omitempty"`
	Label     level.Label `json:"label"`
	Payload   string      `json:"payload_sm3"`
	At        time.Time   `json:"at"`
	Due       time.Time   `json:"due,omitzero" doc:"to be destroyed by then"`
	Overdue   bool        `json:"overdue,omitempty"`
	Ended     time.Time   `json:"ended,omitzero"`
	Evidence  string      `json:"evidence_sm3,omitempty" doc:"of the signed statement of destruction"`
	Tasks     []Task      `json:"tasks,omitempty"`
}

// Task asks for the destruction of a copy before its own end.
type Task struct {
	Due  time.Time `json:"due"`
	Why  string    `json:"why"`
	Note string    `json:"note,omitempty"`
}

// Copies is a page of copies.
type Copies struct {
	Copies []Copy `json:"copies"`
	Next   string `json:"next,omitempty"`
}

// Lineage is what a copy was made of and what was made of it.
type Lineage struct {
	Copies []Copy   `json:"copies"`
	Made   []Making `json:"made"`
	Cut    bool     `json:"cut,omitempty" doc:"there are more than are named"`
}

// Making is one step from a source to what was made of it.
type Making struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// KeepRequest registers a copy that the calling system made of copies that it keeps:
// derived of one, merged of several.
type KeepRequest struct {
	Sources []string     `json:"sources" minItems:"1" maxItems:"64" doc:"copies that the calling system keeps"`
	Purpose string       `json:"purpose" minLength:"1" maxLength:"128"`
	Label   *level.Label `json:"label,omitempty" doc:"at least that of all sources; none: theirs"`
	Payload string       `json:"payload_sm3" minLength:"64" maxLength:"64"`
	Until   time.Time    `json:"until,omitzero" doc:"sooner than the sources' own end"`
}

// DestructionRequest is the signed statement of the system that kept a copy.
type DestructionRequest struct {
	Method    string    `json:"method" minLength:"1" maxLength:"200"`
	At        time.Time `json:"at" doc:"UTC, whole milliseconds"`
	Signature []byte    `json:"signature" minLength:"8" maxLength:"256" doc:"SM2, DER, over the statement (docs: catalogue)"`
}

// RecallRequest asks for the destruction of a copy; for its provider.
type RecallRequest struct {
	Due  time.Time `json:"due"`
	Note string    `json:"note" minLength:"1" maxLength:"400"`
}

// DestructionPayload is the statement that a system signs: the bytes are those of
// sharing.Destruction, which a test compares.
func DestructionPayload(holding, payload, system, method string, at time.Time) []byte {
	return []byte("yinxin/destruction/v1\n{\"at\":" + quoted(at.UTC().Format(DestructionTimeForm)) + ",\"holding\":" + quoted(holding) +
		",\"method\":" + quoted(method) + ",\"payload_sm3\":" + quoted(payload) + ",\"system\":" + quoted(system) + "}")
}

// quoted is JSON of plain text: no control characters, nothing that encoders spell in
// different ways.
func quoted(s string) string {
	out := []byte{'"'}
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(append(out, '"'))
}
