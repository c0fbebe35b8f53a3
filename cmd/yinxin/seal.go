package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// sealView is what seal show prints with --json.
type sealView struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Layout       string    `json:"layout"`
	Version      int       `json:"version"`
	Vendor       string    `json:"vendor"`
	Type         int       `json:"type"`
	Created      time.Time `json:"created"`
	ValidFrom    time.Time `json:"valid_from"`
	ValidUntil   time.Time `json:"valid_until"`
	Maker        string    `json:"maker"`
	MakerValid   bool      `json:"maker_signature_valid"`
	Signers      int       `json:"signer_certificates"`
	PictureType  string    `json:"picture_type"`
	PictureBytes int       `json:"picture_bytes"`
	Width        int       `json:"width_mm"`
	Height       int       `json:"height_mm"`
	SM3          string    `json:"sm3"`
	Warnings     []string  `json:"warnings"`
	// Verdict of the seal as it would be used now, with its checks.
	Verdict verify.Verdict `json:"verdict"`
	Checks  []verify.Check `json:"checks"`
}

func newSealCommand(u *ui) *cobra.Command {
	cmd := &cobra.Command{Use: "seal", Short: u.words.Get("seal.command").Both(), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newSealShowCommand(u))
	return cmd
}

// newSealShowCommand shows a seal of any maker and judges it as it would be used
// now. A seal that is invalid ends with exit 1; one that nobody vouches for is
// shown all the same.
func newSealShowCommand(u *ui) *cobra.Command {
	var picture, trust string
	var force bool
	cmd := &cobra.Command{
		Use:   "show SEAL.esl",
		Short: u.words.Get("seal.show.command").Both(),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			der, err := readFile(args[0], seal.MaxSize)
			if err != nil {
				return fail(err, "sign.hint.input")
			}
			e, err := seal.ParseSeal(der)
			if err != nil {
				return fail(fmt.Errorf("%s: %w", args[0], err), "seal.hint.file")
			}
			if picture != "" {
				if err := writeWhole(picture, e.Picture.Data, force); err != nil {
					return fail(err, "sign.hint.output")
				}
			}
			opt := verify.Options{File: args[0]}
			if trust != "" {
				if opt.Trust, err = verify.ReadTrust(trust); err != nil {
					return fail(err, "verify.hint.trust")
				}
			}
			rep, err := verify.Seal(cmd.Context(), der, opt)
			if err != nil {
				return fail(err, "seal.hint.file")
			}
			v := viewSeal(e)
			v.Verdict, v.Checks = rep.Verdict, rep.Checks
			if u.json {
				if err := u.printJSON(v); err != nil {
					return err
				}
			} else {
				u.printSeal(v)
			}
			if v.Verdict == verify.Invalid {
				return result(exitInvalid)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&picture, "picture", "", u.words.Get("seal.flag.picture").Both())
	cmd.Flags().StringVar(&trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	cmd.Flags().BoolVar(&force, "force", false, u.words.Get("sign.flag.force").Both())
	return cmd
}

func viewSeal(e *seal.Seal) sealView {
	sum := sm3.Sum(e.Raw)
	v := sealView{
		ID: e.ID, Name: e.Name, Layout: e.Layout, Version: e.Version, Vendor: e.Vendor, Type: e.Type,
		Created: e.Created, ValidFrom: e.ValidFrom, ValidUntil: e.ValidUntil,
		MakerValid: e.VerifyMaker() == nil, Signers: len(e.Certs) + len(e.CertDigests),
		PictureType: e.Picture.Type, PictureBytes: len(e.Picture.Data), Width: e.Picture.Width, Height: e.Picture.Height,
		SM3: hex.EncodeToString(sum[:]), Warnings: append([]string{}, e.Warnings...),
	}
	if c, err := smx509.ParseCertificate(e.MakerCertDER); err == nil {
		v.Maker = text.Name(c.Subject)
	}
	return v
}

func (u *ui) printSeal(v sealView) {
	u.say("seal.line.id", "id", text.Plain(v.ID))
	u.say("seal.line.name", "name", text.Plain(v.Name))
	u.say("seal.line.layout", "layout", v.Layout, "version", strconv.Itoa(v.Version), "type", strconv.Itoa(v.Type), "vendor", text.Plain(v.Vendor))
	u.say("seal.line.period", "from", v.ValidFrom.Format(time.DateOnly), "until", v.ValidUntil.Format(time.DateOnly))
	u.say("seal.line.maker", "maker", text.Plain(v.Maker))
	u.say("seal.line.signers", "count", strconv.Itoa(v.Signers))
	u.say("seal.line.picture", "type", text.Plain(v.PictureType), "width", strconv.Itoa(v.Width), "height", strconv.Itoa(v.Height), "bytes", strconv.Itoa(v.PictureBytes))
	for _, w := range v.Warnings {
		u.say("seal.line.warning", "code", w)
	}
	u.printChecks(v.Checks)
	fmt.Fprintln(u.out, mark(v.Verdict), u.words.Get("verify.verdict."+string(v.Verdict)).Both())
}
