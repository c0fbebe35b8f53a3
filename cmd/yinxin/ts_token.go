package main

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// token is a time-stamp with its bytes.
type token struct {
	*tsp.Token
	der []byte
}

// tokenShown is what people and programs see of a time-stamp.
type tokenShown struct {
	Time         time.Time  `json:"time"`
	Accuracy     string     `json:"accuracy,omitempty"`
	Service      string     `json:"service"` // subject of its certificate; "" when the token does not carry it
	Digest       string     `json:"digest"`
	Imprint      string     `json:"imprint"`
	Policy       string     `json:"policy"`
	Serial       string     `json:"serial"` // decimal
	Nonce        string     `json:"nonce,omitempty"`
	Signature    string     `json:"signature"` // "SM2", "P-256" or what the library calls the key
	Certificates int        `json:"certificates"`
	Good         *tokenGood `json:"good,omitempty"` // missing when no certificate is at hand
}

// tokenGood is until when it proves its time, and what ends it.
type tokenGood struct {
	Until  time.Time `json:"until"`
	End    tsp.End   `json:"because"`
	Detail string    `json:"detail"`
}

// readStamp reads a response of a service, or a bare token.
func readStamp(name string) (token, error) {
	raw, err := readFile(name, maxStamp)
	if err != nil {
		return token{}, fail(err, "ts.hint.token")
	}
	der, err := tsp.ParseResponse(raw)
	var refused *tsp.Refusal
	switch {
	case errors.As(err, &refused):
		return token{}, fail(fmt.Errorf("%s: %w", name, err), "ts.hint.refused")
	case err != nil:
		der = raw
	}
	return parseStamp(name, der)
}

func parseStamp(name string, der []byte) (token, error) {
	t, err := tsp.ParseToken(der)
	if err != nil {
		return token{}, fail(fmt.Errorf("%s: %w", name, err), "ts.hint.token")
	}
	return token{t, der}, nil
}

// digestNames are the digests that a time-stamp may be over.
func digestNames() map[string]string {
	return map[string]string{
		"1.2.156.10197.1.401": "sm3", "2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512",
	}
}

// oidOf reads one of the keys of digestNames.
func oidOf(dotted string) (oid asn1.ObjectIdentifier) {
	for part := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			panic(err) // the table above
		}
		oid = append(oid, n)
	}
	return oid
}

// show is the token for people; further are authorities that it may hang on.
func (t token) show(further ...[]byte) tokenShown {
	s := tokenShown{
		Time: t.Time, Digest: digestNames()[t.Imprint.Digest.OID.String()], Imprint: hex.EncodeToString(t.Imprint.Value), Policy: t.Policy.String(),
		Serial: t.Serial.String(), Certificates: len(t.Certs),
	}
	if t.Accuracy > 0 {
		s.Accuracy = t.Accuracy.String()
	}
	if t.Nonce != nil {
		s.Nonce = t.Nonce.String()
	}
	if c, err := smx509.ParseCertificate(t.CertDER); err == nil {
		s.Service, s.Signature = text.Name(c.Subject), keyName(c)
	}
	if life, err := t.GoodUntil(further...); err == nil {
		s.Good = &tokenGood{life.Until.UTC(), life.End, life.Detail}
	}
	return s
}

// newTSShowCommand looks at a time-stamp and judges nothing.
func newTSShowCommand(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "show TOKEN",
		Short: u.words.Get("ts.show.command").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := readStamp(args[0])
			if err != nil {
				return err
			}
			if u.json {
				return u.printJSON(t.show())
			}
			u.printToken(t.show())
			u.line("", "ts.line.not_judged")
			return nil
		},
	}
}

// tsVerified is what `ts verify --json` prints.
type tsVerified struct {
	File    string         `json:"file"`
	Token   string         `json:"token"`
	Verdict verify.Verdict `json:"verdict"`
	Check   verify.Check   `json:"check"`
	tokenShown
}

// newTSVerifyCommand judges a time-stamp on a file, offline.
func newTSVerifyCommand(u *ui) *cobra.Command {
	var trust, content string
	word := func(key string) string { return u.words.Get("ts." + key).Both() }
	c := &cobra.Command{
		Use:   "verify --content FILE TOKEN",
		Short: word("verify.command"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var opt verify.Options
			var anchors [][]byte
			if trust != "" {
				t, err := verify.ReadTrust(trust)
				if err != nil {
					return fail(err, "verify.hint.trust")
				}
				opt.Trust, anchors = t, t.Anchors()
			}
			t, err := readStamp(args[0])
			if err != nil {
				return err
			}
			sum, err := digestFile(content, t.Imprint.Digest)
			if err != nil {
				return fail(err, "sign.hint.input")
			}
			check, verdict := verify.TimeStamp(cmd.Context(), t.Token, sum, opt)
			shown := t.show(anchors...)
			code := map[verify.Verdict]int{verify.Valid: exitOK, verify.Invalid: exitInvalid, verify.Indeterminate: exitIndeterminate}[verdict]
			if u.json {
				if err := u.printJSON(tsVerified{content, args[0], verdict, check, shown}); err != nil {
					return err
				}
				return result(code)
			}
			u.printStampVerdict(content, verdict, check)
			u.printToken(shown)
			return result(code)
		},
	}
	c.Flags().StringVar(&trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	c.Flags().StringVar(&content, "content", "", word("flag.content"))
	if err := c.MarkFlagRequired("content"); err != nil {
		panic(err) // a flag that is defined above
	}
	return c
}

func (u *ui) printStampVerdict(file string, verdict verify.Verdict, check verify.Check) {
	u.line("", "verify.line.verdict", data("mark", mark(verdict)), data("file", file), word("verdict", "verify.verdict."+string(verdict)))
	if check.Reason != "" {
		u.printChecks([]verify.Check{check})
	}
}
