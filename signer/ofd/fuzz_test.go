package ofd

import (
	"strings"
	"testing"
)

// FuzzTree: whatever stands in a structural file, reading the tree ends, stays
// inside the package, and keeps the laws of coverage.
func FuzzTree(f *testing.F) {
	slots := []string{"OFD.xml", "Doc_0/Document.xml", "Doc_0/Page.xml", "Doc_0/Res.xml", "Doc_0/Annots.xml", "V/V.xml",
		"Signs/Signatures.xml", "Signs/Signature.xml", "OFDEntries.xml"}
	for slot, body := range []string{
		`<OFD><DocBody><DocRoot>Doc_0/Document.xml</DocRoot><Versions><Version BaseLoc="V/V.xml"/></Versions><Signatures>/Signs/Signatures.xml</Signatures></DocBody></OFD>`,
		`<Document><CommonData><PublicRes>Res.xml</PublicRes><PageArea><PhysicalBox>0 0 9 9</PhysicalBox></PageArea></CommonData><Pages><Page ID="1" BaseLoc="Page.xml"/></Pages><Annotations>Annots.xml</Annotations></Document>`,
		`<Page><Area><PhysicalBox>0 0 9 9</PhysicalBox></Area><PageRes>Res.xml</PageRes><Content/></Page>`,
		`<Res BaseLoc="Res"><Fonts><Font><FontFile>a.ttf</FontFile></Font></Fonts><ColorSpaces><ColorSpace Profile="a%2e.icc"/></ColorSpaces></Res>`,
		`<Annotations><Page PageID="1"><FileLoc><![CDATA[A.xml]]></FileLoc></Page></Annotations>`,
		`<DocVersion><FileList><File>/OFD.xml</File></FileList><DocRoot>../Doc_0/Document.xml</DocRoot></DocVersion>`,
		`<Signatures><MaxSignId>3</MaxSignId><Signature ID="s1" BaseLoc="Signature.xml"/></Signatures>`,
		`<Signature><SignedInfo><References CheckMethod="SM3"><Reference FileRef="/OFD.xml"><CheckValue>AA==</CheckValue></Reference></References><StampAnnot PageRef="1" Boundary="1 1 1 1" Clip="0 0 1 1"/><Seal><BaseLoc>Seal.esl</BaseLoc></Seal></SignedInfo><SignedValue>v.dat</SignedValue></Signature>`,
		`<DocEntries><SignedValueLoc>/v.dat</SignedValueLoc><FileList><File ID="1" FileLoc="/OFD.xml"/></FileList></DocEntries>`,
	} {
		f.Add(uint8(slot), body)
	}
	f.Fuzz(func(t *testing.T, slot uint8, body string) {
		name := slots[int(slot)%len(slots)]
		items := []string{name + "=" + body}
		for _, rest := range []string{ofdXML, docXML, pageDoc, "Signs/Signatures.xml=" + `<Signatures><Signature ID="s1" BaseLoc="Signature.xml"/></Signatures>`} {
			if !strings.HasPrefix(rest, name+"=") {
				items = append(items, rest)
			}
		}
		p, err := Open(pack(t, items...))
		if err != nil {
			return
		}
		files := map[string]bool{}
		for _, n := range p.Files() {
			files[n] = true
		}
		for _, w := range p.Reachable() {
			if !files[w.Path] {
				t.Fatalf("%s is reached and not in the package", w.Path)
			}
		}
		for _, s := range p.Signatures() {
			c := p.CoverageOf(&s)
			for _, n := range append(append(c.Covered, c.Uncovered...), c.Unreferenced...) {
				if !files[n] {
					t.Fatalf("coverage names %s", n)
				}
			}
		}
	})
}
