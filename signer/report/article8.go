package report

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Block is a building block of the verification with its checks.
type Block struct {
	ID     string         `json:"id"`
	Result verify.Result  `json:"result"`
	Checks []verify.Check `json:"checks"`
}

// Ids of blocks, in the order of reports.
const (
	BlockFormat      = "format"
	BlockMathematics = "mathematics"
	BlockCertificate = "certificate"
	BlockSeal        = "seal"
	BlockTime        = "time"
	BlockCoverage    = "coverage"
	BlockContent     = "content" // what the document says of itself: its citations
	BlockOther       = "other"   // also what is not placed here yet: no check gets lost
)

// Blocks lists every block.
func Blocks() []string {
	return []string{BlockFormat, BlockMathematics, BlockCertificate, BlockSeal, BlockTime, BlockCoverage, BlockContent, BlockOther}
}

// places says which checks belong to a block, by the beginning of their id; the
// longest one counts.
func places() map[string]string {
	return map[string]string{
		"zip.": BlockFormat, "ofd.": BlockFormat, "pdf.": BlockFormat, "ses.": BlockFormat, "cms.": BlockFormat,
		"format.": BlockFormat, verify.CheckList: BlockFormat,
		verify.CheckValue: BlockMathematics, verify.CheckDataHash: BlockMathematics, verify.CheckReferences: BlockMathematics,
		verify.CheckSelfTest: BlockMathematics, verify.CheckSealSig: BlockMathematics, "second.": BlockMathematics,
		"sig.cert.": BlockCertificate, "revocation.": BlockCertificate, verify.CheckMaker: BlockCertificate,
		"seal.":          BlockSeal,
		verify.CheckTime: BlockTime, "timestamp.": BlockTime, verify.CheckSealToken: BlockTime,
		verify.CheckCoverage: BlockCoverage, verify.CheckRange: BlockCoverage, "stamp.": BlockCoverage,
		"package.": BlockCoverage, verify.CheckSealFile: BlockCoverage, verify.CheckBase: BlockCoverage,
		"doc.": BlockContent,
	}
}

func blockOf(id string) string {
	best, block := "", BlockOther
	for prefix, b := range places() {
		if strings.HasPrefix(id, prefix) && len(prefix) > len(best) {
			best, block = prefix, b
		}
	}
	return block
}

// blocks groups checks; a block without checks is left out.
func blocks(checks []verify.Check) []Block {
	out := []Block{}
	for _, id := range Blocks() {
		b := Block{ID: id}
		for _, c := range checks {
			if blockOf(c.ID) == id {
				b.Checks = append(b.Checks, c)
			}
		}
		if len(b.Checks) > 0 {
			b.Result = worst(b.Checks)
			out = append(out, b)
		}
	}
	return out
}

// worst joins results; checks that did not run count for nothing.
func worst(checks []verify.Check) verify.Result {
	for _, want := range []verify.Result{verify.Fail, verify.CannotTell, verify.Pass} {
		for _, c := range checks {
			if c.Result == want {
				return want
			}
		}
	}
	return verify.Skipped
}

// Factor is one of the four factors of authenticity of 电子签名法 art. 8, with the
// blocks that speak to it, over the document and all its signatures.
type Factor struct {
	ID     string        `json:"id"`
	Clause string        `json:"clause"`
	Result verify.Result `json:"result"`
	Blocks []string      `json:"blocks"`
	Open   []string      `json:"open"` // checks that failed, could not tell or did not run; codes of what is missing
}

// Ids of the factors.
const (
	FactorGeneration = "generation" // (1) generation, storage, transmission
	FactorIntegrity  = "integrity"  // (2) keeping the content complete
	FactorSender     = "sender"     // (3) telling who sent it
	FactorOther      = "other"      // (4)
)

// article8 fills the four factors. How a document came about and travelled does
// not stand in it: without the record of a register the first one stays open.
func article8(rep *verify.Report, sigs []Signature) []Factor {
	checks := append([]verify.Check{}, rep.Checks...)
	recorded := len(sigs) > 0
	for i, s := range rep.Signatures {
		checks = append(checks, s.Checks...)
		recorded = recorded && sigs[i].Detail.Evidence != nil
	}
	out := []Factor{
		{ID: FactorGeneration, Clause: "电子签名法, 8 (1)", Blocks: []string{BlockFormat, BlockTime}},
		{ID: FactorIntegrity, Clause: "电子签名法, 8 (2)", Blocks: []string{BlockMathematics, BlockCoverage}},
		{ID: FactorSender, Clause: "电子签名法, 8 (3)", Blocks: []string{BlockCertificate, BlockSeal}},
		{ID: FactorOther, Clause: "电子签名法, 8 (4)", Blocks: []string{BlockContent, BlockOther}},
	}
	for i := range out {
		f := &out[i]
		f.Open = []string{}
		var mine []verify.Check
		for _, c := range checks {
			for _, b := range f.Blocks {
				if blockOf(c.ID) == b {
					mine = append(mine, c)
				}
			}
		}
		for _, c := range mine {
			if c.Result != verify.Pass {
				f.Open = include(f.Open, c.ID)
			}
		}
		f.Result = worst(mine)
		if f.ID == FactorGeneration && !recorded {
			f.Open = include(f.Open, MissingEvidence)
			if f.Result != verify.Fail {
				f.Result = verify.CannotTell
			}
		}
	}
	return out
}

func include(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
