package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// Header is what the house signs beside the encrypted document: who may open
// it, under which label, by which decision.
type Header struct {
	Transfer string      `json:"transfer"`
	Receiver string      `json:"receiver"` // unified social credit code
	System   string      `json:"system"`
	Label    level.Label `json:"label"`
	Decision string      `json:"decision"`
	Document string      `json:"document_sm3"`
	Name     string      `json:"name"`
	Resource string      `json:"resource"`
	SentAt   time.Time   `json:"sent_at"`
}

// Encode is the form that is signed.
func (h Header) Encode() ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("wire: encode header: %w", err)
	}
	return b, nil
}

// ParseHeader reads the signed header of an envelope; unknown fields are refused.
func ParseHeader(b []byte) (Header, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var h Header
	if err := dec.Decode(&h); err != nil {
		return Header{}, fmt.Errorf("wire: header: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Header{}, fmt.Errorf("wire: header: data after the object")
	}
	if err := h.Label.Validate(); err != nil {
		return Header{}, fmt.Errorf("wire: header: %w", err)
	}
	return h, nil
}

// ReceiptPayload is what the receiver signs with its SM2 signing key (default
// user id): "yinxin/receipt/v1", transfer id and SM3 of the document in hex,
// each ended by a newline.
func ReceiptPayload(transfer, documentSM3 string) []byte {
	return []byte("yinxin/receipt/v1\n" + transfer + "\n" + documentSM3 + "\n")
}
