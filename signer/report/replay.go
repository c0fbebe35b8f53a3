package report

import (
	"encoding/hex"
	"fmt"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Replay is what a second person needs, beside the document, to judge again.
type Replay struct {
	Options    Options     `json:"options"`
	Anchors    []AnchorUse `json:"anchors"`
	Signatures []Material  `json:"signatures"` // in the order of the report
}

// Options of the judgement.
type Options struct {
	JudgedAt      string `json:"judged_at"`
	Trust         bool   `json:"trust"`           // anchors were given
	SelfTest      bool   `json:"self_test"`       // sig.selftest was asked for
	SecondOpinion bool   `json:"second_opinion"`  // second.opinion was asked for
	Revocation    bool   `json:"revocation_data"` // there was somebody to ask about revocation
}

// AnchorUse is one anchor of the judgement and what its owner says of it.
type AnchorUse struct {
	Certificate
	Licences []Accreditation `json:"licences"` // status is left empty: it depends on the time
}

// Material of one signature.
type Material struct {
	ID           string        `json:"id"`
	Value        []byte        `json:"value"` // signed value as stored
	Certificates []Certificate `json:"certificates"`
	Chains       []Chain       `json:"chains"`
	Seal         *SealData     `json:"seal,omitempty"`
	TimeStamp    *TimeStamp    `json:"timestamp,omitempty"`
	Digests      []Digest      `json:"digests"`
}

// Chain names the certificates from the one judged to the anchor, by SM3.
type Chain struct {
	Check string   `json:"check"`
	Path  []string `json:"path"`
}

// SealData are the fields of a seal (GB/T 38540-2020, 6.2).
type SealData struct {
	Layout      string   `json:"layout"`
	Version     int      `json:"version"`
	ID          string   `json:"id"`
	Vendor      string   `json:"vendor"`
	Type        int      `json:"type"`
	Name        string   `json:"name"`
	Created     string   `json:"created"`
	ValidFrom   string   `json:"valid_from"`
	ValidUntil  string   `json:"valid_until"`
	ListType    int      `json:"certificate_list_type"`
	Listed      []string `json:"certificate_list"` // SM3 of certificates, or the digests as stored
	PictureType string   `json:"picture_type"`
	PictureSM3  string   `json:"picture_sm3"`
	PictureSize int      `json:"picture_size"`
	Width       int      `json:"width_mm"`
	Height      int      `json:"height_mm"`
	Algorithm   string   `json:"algorithm"`
	Value       []byte   `json:"maker_signature"`
	SM3         string   `json:"sm3"` // of the whole seal as stored
	Warnings    []string `json:"warnings"`
}

// TimeStamp is a token (RFC 3161, GB/T 20520). Fields beside Token are empty
// when it does not read.
type TimeStamp struct {
	Time    string `json:"time"`
	Policy  string `json:"policy"`
	Serial  string `json:"serial"`
	Digest  string `json:"digest"` // algorithm
	Imprint string `json:"imprint"`
	Token   []byte `json:"token"`
}

func (in *Input) replay() (*Replay, error) {
	out := &Replay{
		Options: Options{JudgedAt: stamp(in.JudgedAt), Trust: in.Trust != nil}, Anchors: []AnchorUse{}, Signatures: []Material{},
	}
	for _, der := range in.Trust.Anchors() {
		a := AnchorUse{Certificate: certificate(der), Licences: []Accreditation{}}
		for _, l := range in.Trust.Licences(der) {
			one := Accreditation{"", l.Service, l.Licence, l.URL, stamp(l.From), stamp(l.Until)}
			if l.Internal {
				one.Status = AccreditationSelf
			}
			a.Licences = append(a.Licences, one)
		}
		out.Anchors = append(out.Anchors, a)
	}
	sums, err := in.digests()
	if err != nil {
		return nil, err
	}
	for i := range in.Judged.Signatures {
		s := &in.Judged.Signatures[i]
		for _, c := range s.Checks {
			switch c.ID {
			case verify.CheckSelfTest:
				out.Options.SelfTest = true
			case verify.CheckSecond:
				out.Options.SecondOpinion = true
			case verify.CheckRevocation:
				out.Options.Revocation = out.Options.Revocation || c.Reason != verify.ReasonNoRevocation && c.Result != verify.Skipped
			}
		}
		m := material(s)
		if i < len(sums) {
			m.Digests = sums[i]
		}
		out.Signatures = append(out.Signatures, m)
	}
	return out, nil
}

// material takes a signed value apart again. What does not read was reported by
// its check already; its bytes stand in Value.
func material(s *verify.Signature) Material {
	out := Material{ID: s.ID, Certificates: []Certificate{}, Chains: []Chain{}, Digests: []Digest{}}
	m := s.Material
	if m == nil {
		return out
	}
	seen := map[string]bool{}
	keep := func(ders ...[]byte) {
		for _, der := range ders {
			if c := certificate(der); len(der) > 0 && !seen[c.SM3] {
				seen[c.SM3] = true
				out.Certificates = append(out.Certificates, c)
			}
		}
	}
	out.Value = m.Value
	keep(m.Signer, m.Maker)
	if ses, err := seal.ParseSignature(m.Value); err == nil {
		out.Seal = sealData(ses.Seal)
		keep(ses.Seal.Certs...)
	} else if msg, err := signeddata.Parse(m.Value); err == nil {
		keep(msg.Certs...)
	}
	for _, c := range m.Chains {
		keep(c.Certs...)
		path := []string{}
		for _, der := range c.Certs {
			path = append(path, fingerprint(der))
		}
		out.Chains = append(out.Chains, Chain{c.Check, path})
	}
	if m.Token == nil {
		return out
	}
	out.TimeStamp = &TimeStamp{Token: m.Token}
	if t, err := tsp.ParseToken(m.Token); err == nil {
		*out.TimeStamp = TimeStamp{
			stamp(t.Time), t.Policy.String(), fmt.Sprintf("%x", t.Serial), t.Imprint.Digest.OID.String(), hex.EncodeToString(t.Imprint.Value), m.Token,
		}
		keep(t.Certs...)
	}
	return out
}

func sealData(s *seal.Seal) *SealData {
	out := &SealData{
		Layout: s.Layout, Version: s.Version, ID: s.ID, Vendor: s.Vendor, Type: s.Type, Name: s.Name, Created: stamp(s.Created),
		ValidFrom: stamp(s.ValidFrom), ValidUntil: stamp(s.ValidUntil), ListType: s.CertListType, Listed: []string{},
		PictureType: s.Picture.Type, PictureSM3: fingerprint(s.Picture.Data), PictureSize: len(s.Picture.Data),
		Width: s.Picture.Width, Height: s.Picture.Height, Algorithm: s.Algorithm.String(), Value: s.Value, SM3: fingerprint(s.Raw),
		Warnings: append([]string{}, s.Warnings...),
	}
	for _, der := range s.Certs {
		out.Listed = append(out.Listed, fingerprint(der))
	}
	for _, d := range s.CertDigests {
		out.Listed = append(out.Listed, hex.EncodeToString(d))
	}
	return out
}
