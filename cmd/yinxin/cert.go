package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/emmansun/gmsm/smx509"
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// maxCertFile bounds a file of certificates; a long chain has 20 kB.
const maxCertFile = 1 << 20

// newCertCommand is about certificates: lint, show and import need no server and
// no store, and judge form only; history and expiring ask the house.
func newCertCommand(u *ui) *cobra.Command {
	cert := &cobra.Command{Use: "cert", Short: u.words.Get("cert.short").Both()}
	cert.AddCommand(newCertLintCommand(u), newCertShowCommand(u), newCertImportCommand(u), newCertHistoryCommand(u), newCertExpiringCommand(u))
	return cert
}

func newCertLintCommand(u *ui) *cobra.Command {
	var name, issuerFile string
	cmd := &cobra.Command{
		Use:   "lint FILE",
		Short: u.words.Get("cert.lint.short").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := u.readFile(args[0], maxListFile)
			if err != nil {
				return err
			}
			if der := listIn(data); der != nil {
				return u.lintList(args[0], der, name, issuerFile)
			}
			in, err := u.lintInput(args[0], data, name, issuerFile)
			if err != nil {
				return err
			}
			return u.printLint(args[0], name, lint.New().Run(in))
		},
	}
	cmd.Flags().StringVar(&name, "profile", "", u.words.Get("cert.flag.profile").Both())
	cmd.Flags().StringVar(&issuerFile, "issuer", "", u.words.Get("cert.flag.issuer").Both())
	return cmd
}

// lintInput reads the first certificate of a file; the next one of the same
// file is its issuer when the names fit and no other is given.
func (u *ui) lintInput(file string, data []byte, name, issuerFile string) (lint.Input, error) {
	ders, err := certificatesIn(file, data)
	if err != nil {
		return lint.Input{}, err
	}
	view, err := lint.Parse(ders[0])
	if err != nil {
		return lint.Input{}, fail(fmt.Errorf("%s: %w", file, err), "cert.hint.file")
	}
	in := lint.Input{View: view}
	if name != "" {
		p, err := profile.Get(profile.Name(name))
		if err != nil {
			return lint.Input{}, fail(err, "cert.hint.profile")
		}
		in.Profile = &p
	}
	if issuerFile != "" {
		chain, err := u.readCertificates(issuerFile)
		if err != nil {
			return lint.Input{}, err
		}
		if in.Issuer, err = smx509.ParseCertificate(chain[0]); err != nil {
			return lint.Input{}, fail(fmt.Errorf("%s: %w", issuerFile, err), "cert.hint.file")
		}
		return in, nil
	}
	if len(ders) > 1 && view.Cert != nil {
		next, err := smx509.ParseCertificate(ders[1])
		if err == nil && bytes.Equal(next.RawSubject, view.Cert.RawIssuer) {
			in.Issuer = next
		}
	}
	return in, nil
}

// lintReport is the object of cert lint --json.
type lintReport struct {
	File    string        `json:"file"`
	Profile string        `json:"profile,omitempty"`
	Result  lint.Outcome  `json:"result"`
	Checks  []lint.Result `json:"checks"`
}

func (u *ui) printLint(file, name string, checks []lint.Result) error {
	report := lintReport{File: file, Profile: name, Result: lint.Pass, Checks: checks}
	failed := 0
	for _, c := range checks {
		if c.Result == lint.Fail {
			report.Result = lint.Fail
			failed++
		}
	}
	code := exitOK
	if failed > 0 {
		code = exitInvalid
	}
	if u.json {
		if err := u.printJSON(report); err != nil {
			return err
		}
		return result(code)
	}
	marks := map[lint.Outcome]string{lint.Pass: "✓", lint.Fail: "✗", lint.Warn: "!", lint.NA: "-"}
	second := map[lint.Outcome]int{}
	for _, c := range checks {
		rule := c.Rule
		if rule == "" {
			rule = u.words.Get("cert.check." + c.ID).Both()
		} else {
			second[c.Result]++
			if c.Result == lint.Pass || c.Result == lint.NA {
				continue // a line for each of 130 would hide ours
			}
		}
		fmt.Fprintf(u.out, "%s %-27s %s  [%s]\n", marks[c.Result], c.ID, rule, c.Clause)
		if c.Detail != "" && c.Detail != c.Rule {
			fmt.Fprintf(u.out, "    %s\n", text.Plain(c.Detail))
		}
	}
	if len(second) > 0 {
		u.say("cert.lint.second", "pass", strconv.Itoa(second[lint.Pass]), "warn", strconv.Itoa(second[lint.Warn]),
			"fail", strconv.Itoa(second[lint.Fail]), "na", strconv.Itoa(second[lint.NA]))
	}
	if failed > 0 {
		u.say("cert.lint.failed", "count", strconv.Itoa(failed))
	} else {
		u.say("cert.lint.passed")
	}
	return result(code)
}

// readCertificates returns every certificate of a PEM file, or the one of a DER
// file; "-" is stdin.
func (u *ui) readCertificates(file string) ([][]byte, error) {
	data, err := u.readFile(file, maxCertFile)
	if err != nil {
		return nil, err
	}
	return certificatesIn(file, data)
}

func (u *ui) readFile(file string, limit int64) ([]byte, error) {
	var in io.Reader = u.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fail(err, "cert.hint.open")
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, fail(fmt.Errorf("reading %s: %w", file, err), "cert.hint.open")
	}
	if int64(len(data)) > limit {
		return nil, fail(fmt.Errorf("%s: larger than %d bytes", file, limit), "cert.hint.file")
	}
	return data, nil
}

func certificatesIn(file string, data []byte) ([][]byte, error) {
	if len(data) > maxCertFile {
		return nil, fail(fmt.Errorf("%s: larger than %d bytes", file, maxCertFile), "cert.hint.file")
	}
	if len(data) > 0 && data[0] == 0x30 {
		return [][]byte{data}, nil
	}
	var out [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			out = append(out, block.Bytes)
		}
	}
	if len(out) == 0 {
		return nil, fail(fmt.Errorf("%s: %w", file, errNoCertificate), "cert.hint.file")
	}
	return out, nil
}

var errNoCertificate = errors.New("no certificate in it")
