package verify

import (
	"slices"
	"strings"
	"testing"
)

// Every kind of file that GB/T 33190 lets a document refer to counts as content:
// each of them, left out of what is signed, makes the document partial and is
// named.
func TestEveryKindOfFileMustBeCovered(t *testing.T) {
	w := newWorld(t)
	data := w.notice()
	data = edit(t, data, "OFD.xml", replace("</ofd:DocInfo>", "<ofd:Cover>Doc_0/cover.png</ofd:Cover></ofd:DocInfo>"))
	data = edit(t, data, "OFD.xml", replace("</ofd:DocBody>", `<ofd:Versions><ofd:Version ID="1" Index="1" BaseLoc="V/V.xml"/></ofd:Versions></ofd:DocBody>`))
	data = edit(t, data, docFile, replace("</ofd:CommonData>", `<ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes><ofd:TemplatePage ID="91" BaseLoc="Tpls/T/Content.xml"/></ofd:CommonData>`))
	data = edit(t, data, docFile, replace("</ofd:Document>", `<ofd:Annotations>Annots/Annotations.xml</ofd:Annotations><ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments>`+
		`<ofd:CustomTags>Tags/CustomTags.xml</ofd:CustomTags><ofd:Extensions>Exts/Extensions.xml</ofd:Extensions></ofd:Document>`))
	data = edit(t, data, pageFile, replace("<ofd:Content>", "<ofd:PageRes>PageRes.xml</ofd:PageRes><ofd:Content>"))
	parts := map[string]string{
		"Doc_0/cover.png":                    "png",
		"Doc_0/DocumentRes.xml":              `<Res BaseLoc="Res"><ColorSpaces><ColorSpace ID="1" Type="RGB" Profile="rgb.icc"/></ColorSpaces><Fonts><Font ID="2"><FontFile>f.ttf</FontFile></Font></Fonts><MultiMedias><MultiMedia ID="3"><MediaFile>a.png</MediaFile></MultiMedia></MultiMedias></Res>`,
		"Doc_0/Res/rgb.icc":                  "icc",
		"Doc_0/Res/f.ttf":                    "font",
		"Doc_0/Res/a.png":                    "png",
		"Doc_0/Pages/Page_0/PageRes.xml":     `<Res><MultiMedias><MultiMedia ID="4"><MediaFile>p.png</MediaFile></MultiMedia></MultiMedias></Res>`,
		"Doc_0/Pages/Page_0/p.png":           "png",
		"Doc_0/Tpls/T/Content.xml":           `<Page><PageRes>TRes.xml</PageRes><Content/></Page>`,
		"Doc_0/Tpls/T/TRes.xml":              `<Res><MultiMedias><MultiMedia ID="5"><MediaFile>t.png</MediaFile></MultiMedia></MultiMedias></Res>`,
		"Doc_0/Tpls/T/t.png":                 "png",
		"Doc_0/Annots/Annotations.xml":       `<Annotations><Page PageID="1"><FileLoc>Page_0/Annotation.xml</FileLoc></Page></Annotations>`,
		"Doc_0/Annots/Page_0/Annotation.xml": `<PageAnnot/>`,
		"Doc_0/Attachs/Attachments.xml":      `<Attachments><Attachment ID="6"><FileLoc>a.txt</FileLoc></Attachment></Attachments>`,
		"Doc_0/Attachs/a.txt":                "text",
		"Doc_0/Tags/CustomTags.xml":          `<CustomTags><CustomTag><FileLoc>tag.xml</FileLoc><SchemaLoc>tag.xsd</SchemaLoc></CustomTag></CustomTags>`,
		"Doc_0/Tags/tag.xml":                 "<t/>",
		"Doc_0/Tags/tag.xsd":                 "<s/>",
		"Doc_0/Exts/Extensions.xml":          `<Extensions><Extension><ExtendData>data.xml</ExtendData></Extension></Extensions>`,
		"Doc_0/Exts/data.xml":                "<d/>",
		"V/V.xml":                            `<DocVersion><FileList><File ID="1">old.png</File></FileList><DocRoot>Document.xml</DocRoot></DocVersion>`,
		"V/old.png":                          "png",
		"V/Document.xml":                     `<Document><Pages><Page ID="1" BaseLoc="Page.xml"/></Pages></Document>`,
		"V/Page.xml":                         `<Page><Content/></Page>`,
	}
	for name, body := range parts {
		data = rezip(t, append(unzip(t, data), zfile{name, []byte(body)}))
	}
	sealed := w.put(data, false)
	if rep := w.judge(sealed); rep.Verdict != Valid || rep.Integrity != Intact || len(rep.Warnings) != 2 {
		t.Fatal(dump(rep))
	}
	for _, f := range unzip(t, sealed) {
		if strings.Contains(f.name, "/Signs/") {
			continue
		}
		rep := w.judge(w.resign(sealed, forged{}, func(s string) string { return cutReference(s, f.name) }))
		if rep.Verdict == Valid || rep.Integrity != Partial || !slices.Equal(rep.Signatures[0].Coverage.Uncovered, []string{"/" + f.name}) {
			t.Errorf("%s: %s %s %v", f.name, rep.Verdict, rep.Integrity, rep.Signatures[0].Coverage.Uncovered)
		}
		delete(parts, f.name)
	}
	if len(parts) > 0 {
		t.Errorf("not tested: %v", parts)
	}
}
