package report_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// RFC 5652, 11.2: the diagnostic report of a signature of any file shows the digest
// that the signer stated beside the one that the content has.
func TestDigestsOfCMS(t *testing.T) {
	w := newWorld(t)
	content := []byte("附件：共享数据清单")
	sum := sm3.Sum(content)
	sign := func(carried []byte) []byte {
		der, err := signeddata.Sign(signeddata.Spec{CertDER: w.signer.cert.Raw, Time: signed, Digest: sum[:], Content: carried}, w.signer.key)
		w.must(err)
		return der
	}
	other := sm3.Sum([]byte("另一份"))
	for name, tc := range map[string]struct {
		message, content []byte
		found            [32]byte
		verdict          verify.Verdict
	}{
		"carried":         {sign(content), nil, sum, verify.Valid},
		"detached":        {sign(nil), content, sum, verify.Valid},
		"another content": {sign(nil), []byte("另一份"), other, verify.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			opt := verify.Options{Trust: w.trust(), Now: func() time.Time { return judged }}
			if tc.content != nil {
				opt.Content, opt.ContentSize = bytes.NewReader(tc.content), int64(len(tc.content))
			}
			rep, err := verify.Document(t.Context(), tc.message, opt)
			w.must(err)
			r, err := report.Make(t.Context(), report.Input{
				Judged: rep, Document: bytes.NewReader(tc.message), Size: int64(len(tc.message)), Trust: w.trust(), JudgedAt: judged, Level: report.Diagnostic,
			})
			w.must(err)
			got := r.Replay.Signatures[0].Digests
			if rep.Verdict != tc.verdict || len(got) != 1 || got[0].Expected != hex.EncodeToString(sum[:]) || got[0].Found != hex.EncodeToString(tc.found[:]) ||
				got[0].Algorithm != "1.2.156.10197.1.401" || !strings.HasPrefix(got[0].Object, "bytes 0-") {
				t.Errorf("%s %+v", rep.Verdict, got)
			}
		})
	}
}
