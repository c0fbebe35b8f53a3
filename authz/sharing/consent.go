package sharing

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// ConsentState is where a consent stands.
type ConsentState string

// Consent states: asked → consented or refused; consented → withdrawn. Expired
// is never stored: StateAt says it.
const (
	ConsentAsked     ConsentState = "asked"
	ConsentGiven     ConsentState = "consented"
	ConsentRefused   ConsentState = "refused"
	ConsentWithdrawn ConsentState = "withdrawn"
	ConsentExpired   ConsentState = "expired"
)

// Consent is a provider's consent that a unit quotes a resource in a document or
// a series of documents (京政发〔2017〕37号 art. 19). The names are those of the
// day on which it was asked for: they are what the leader signed, and what a
// citation has to print ever after.
type Consent struct {
	ID           string        `json:"id"`
	Resource     string        `json:"resource"`
	ResourceName string        `json:"resource_name"` // 信息来源
	Provider     identity.USCC `json:"provider"`
	ProviderName string        `json:"provider_name"` // 提供单位
	Consumer     identity.USCC `json:"consumer"`
	Title        string        `json:"title"`   // of the document, or of the series
	Purpose      string        `json:"purpose"` // why it is quoted
	Document     string        `json:"document_sm3,omitempty"`
	NotBefore    time.Time     `json:"not_before"`
	NotAfter     time.Time     `json:"not_after"` // exclusive
	Digest       string        `json:"digest_sm3"`
	Requester    string        `json:"requester"` // person of the consumer
	State        ConsentState  `json:"state"`
	Approval     string        `json:"approval,omitempty"` // the signed answer
	AskedAt      time.Time     `json:"asked_at"`
	DecidedAt    time.Time     `json:"decided_at,omitzero"`
	WithdrawnAt  time.Time     `json:"withdrawn_at,omitzero"`
	Reason       string        `json:"reason,omitempty"` // of a withdrawal
}

// ErrConsent: there is no consent that covers the citation. ConsentError says why.
var ErrConsent = errors.New("sharing: no consent to this citation")

// Codes of a ConsentError.
const (
	NoConsent         = "none"      // not on the register, or nobody answered yet
	ConsentNo         = "refused"   // the provider said no
	ConsentTaken      = "withdrawn" // before that time
	ConsentPeriod     = "period"    // given later, not begun, or over
	ConsentOfResource = "resource"  // is for another resource, or another name of it
	ConsentOfProvider = "provider"
	ConsentOfConsumer = "consumer"
	ConsentOfDocument = "document"
	ConsentUnsigned   = "signature" // the leader's signature does not verify
)

// ConsentError says why a consent does not cover a citation.
type ConsentError struct{ Consent, Code string }

func (e *ConsentError) Error() string {
	return fmt.Sprintf("%v: %.80q: %s", ErrConsent, e.Consent, e.Code)
}

// Is reports that every ConsentError is ErrConsent.
func (e *ConsentError) Is(target error) bool { return target == ErrConsent }

// Quote is a citation, as far as a consent says something about it.
type Quote struct {
	Consent                string
	Resource, ResourceName string
	Provider               identity.USCC
	ProviderName           string
	Consumer               identity.USCC
	Document               string // SM3 of the document as it was approved
	At                     time.Time
}

// ConsentStore keeps consents; see identity.Register for the promises.
type ConsentStore interface {
	AddConsent(ctx context.Context, c Consent, ev ledger.Event) (ledger.Receipt, error)
	// MoveConsent is a guarded update from one state to c.State; ErrConsent when
	// the row is not in from. The terms never change.
	MoveConsent(ctx context.Context, c Consent, from ConsentState, ev ledger.Event) (ledger.Receipt, error)
	ConsentReader
}

// ConsentReader is its read side.
type ConsentReader interface {
	Consent(ctx context.Context, id string) (Consent, error)
	// ConsentsOf lists those that a unit was asked for or asked for, newest first.
	ConsentsOf(ctx context.Context, unit identity.USCC) ([]Consent, error)
}

// consentDomain keeps a digest of a consent from being one of anything else.
const consentDomain = "yinxin/citation-consent/v1\n"

// consentTerms declares its fields in the order of their names, as RFC 8785 sorts.
type consentTerms struct {
	Consumer     string `json:"consumer"`
	Document     string `json:"document_sm3"`
	ID           string `json:"id"`
	NotAfter     string `json:"not_after"`
	NotBefore    string `json:"not_before"`
	Provider     string `json:"provider"`
	ProviderName string `json:"provider_name"`
	Purpose      string `json:"purpose"`
	Resource     string `json:"resource"`
	ResourceName string `json:"resource_name"`
	Title        string `json:"title"`
}

// Terms returns the bytes whose SM3 the provider's leader signs: the line
// "yinxin/citation-consent/v1" and one JSON object in the form of agreements.
func (c Consent) Terms() ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	b := bytes.NewBufferString(consentDomain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(consentTerms{
		Consumer: string(c.Consumer), Document: c.Document, ID: c.ID, NotAfter: c.NotAfter.UTC().Format(timeForm), NotBefore: c.NotBefore.UTC().Format(timeForm),
		Provider: string(c.Provider), ProviderName: c.ProviderName, Purpose: c.Purpose, Resource: c.Resource, ResourceName: c.ResourceName, Title: c.Title,
	}); err != nil {
		return nil, fmt.Errorf("sharing: encoding consent: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (c Consent) digest() (string, error) {
	raw, err := c.Terms()
	if err != nil {
		return "", err
	}
	sum := sm3.Sum(raw)
	return hex.EncodeToString(sum[:]), nil
}

func (c Consent) validate() error {
	if !idForm.MatchString(c.ID) || !idForm.MatchString(c.Resource) || c.Document != "" && !isDigest(c.Document) {
		return fmt.Errorf("%w: consent without id or resource, or document that is not SM3 in lower-case hex", ErrInvalid)
	}
	for _, s := range []string{c.Title, c.Purpose, c.ResourceName, c.ProviderName} {
		if strings.TrimSpace(s) == "" || !plain(s) {
			return fmt.Errorf("%w: consent without title or purpose, or text that is not plain", ErrInvalid)
		}
	}
	for _, u := range []identity.USCC{c.Provider, c.Consumer} {
		if err := u.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if c.NotBefore.IsZero() || !c.NotAfter.After(c.NotBefore) ||
		!c.NotBefore.Equal(c.NotBefore.Truncate(time.Millisecond)) || !c.NotAfter.Equal(c.NotAfter.Truncate(time.Millisecond)) {
		return fmt.Errorf("%w: period of the consent", ErrInvalid)
	}
	return nil
}

// StateAt is the state with the period in view.
func (c Consent) StateAt(at time.Time) ConsentState {
	if c.State == ConsentGiven && !at.Before(c.NotAfter) {
		return ConsentExpired
	}
	return c.State
}

// covers says why a consent does not cover a citation at that time, or nil. Times
// of signing are whole seconds: a consent of the same second came before.
func (c Consent) covers(q Quote) error {
	no := func(code string) error { return &ConsentError{q.Consent, code} }
	switch {
	case c.State == ConsentRefused:
		return no(ConsentNo)
	case c.State == ConsentAsked || c.DecidedAt.IsZero():
		return no(NoConsent)
	case q.Resource != c.Resource || q.ResourceName != c.ResourceName:
		return no(ConsentOfResource)
	case q.Provider != c.Provider || q.ProviderName != c.ProviderName:
		return no(ConsentOfProvider)
	case q.Consumer != c.Consumer:
		return no(ConsentOfConsumer)
	case c.Document != "" && q.Document != c.Document:
		return no(ConsentOfDocument)
	case (c.State == ConsentWithdrawn || !c.WithdrawnAt.IsZero()) && !q.At.Before(c.WithdrawnAt):
		return no(ConsentTaken)
	case q.At.Before(c.DecidedAt.Truncate(time.Second)) || q.At.Before(c.NotBefore.Truncate(time.Second)) || !q.At.Before(c.NotAfter):
		return no(ConsentPeriod)
	}
	return nil
}
