package ra_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

const headLine = "agency,system,common_name,organization,hosts,purpose\n"

func sheet(lines ...string) []byte { return []byte(headLine + strings.Join(lines, "\n") + "\n") }

const lineA = agency + ",civil-a," + host + ",样例区民政局," + host + ";b.gov.internal,"

func codes(problems []ra.Problem) (out []string) {
	for _, p := range problems {
		out = append(out, fmt.Sprintf("%d:%s:%s", p.Line, p.Column, p.Code))
	}
	slices.Sort(out)
	return out
}

func TestParseCSVReadsWhatSpreadsheetsSave(t *testing.T) {
	gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte("统一社会信用代码,系统标识,通用名称,单位名称,主机名,用途\r\n" + agency + ",civil-a,民政,样例区民政局,B.GOV；" + host + ",测试\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	gb = []byte(strings.Replace(string(gb), "B.GOV", "b.gov", 1))
	for name, data := range map[string][]byte{
		"UTF-8": sheet(lineA), "UTF-8 with a mark": append([]byte("\xef\xbb\xbf"), sheet(lineA)...), "GB18030, Chinese names": gb,
		"quoted, another order": []byte("hosts,organization,common_name,system,agency\n\"" + host + "\",样例区民政局,民政," + "civil-a," + agency + "\n"),
	} {
		rows, bad := ra.ParseCSV(data)
		if len(bad) != 0 || len(rows) != 1 || rows[0].Line != 2 || rows[0].Request.Organization != "样例区民政局" || rows[0].Request.Agency != agency || !slices.Contains(rows[0].Request.Hosts, host) {
			t.Errorf("%s: %+v, %v", name, rows, bad)
		}
		if test := strings.HasPrefix(name, "GB"); len(rows) == 1 && rows[0].Request.Test() != test {
			t.Errorf("%s: purpose %s", name, rows[0].Request.Purpose)
		}
	}
}

func TestParseCSVSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"nothing":              {"", []string{"0::empty_file"}},
		"header only":          {headLine, []string{"0::empty_file"}},
		"UTF-16":               {"\xff\xfea\x00g\x00", []string{"0::encoding"}},
		"binary":               {"PK\x03\x04\x00", []string{"0::encoding"}},
		"missing column":       {"agency,system,common_name,organization\n", []string{"1:hosts:header"}},
		"unknown column":       {strings.Replace(headLine, "purpose", "goal", 1), []string{"1::header"}},
		"column twice":         {strings.Replace(headLine, "purpose", "system", 1), []string{"1:system:header"}},
		"open quote":           {headLine + "\"a,b\n", []string{"2::syntax"}},
		"too few fields":       {headLine + "a,b\n", []string{"2::fields"}},
		"everything empty":     {headLine + ",,,,,\n", []string{"2:agency:empty", "2:common_name:empty", "2:hosts:empty", "2:organization:empty", "2:system:empty"}},
		"check digit GB 32100": {string(sheet(strings.Replace(lineA, agency, agency[:17]+"A", 1))), []string{"2:agency:uscc"}},
		"system id":            {string(sheet(strings.Replace(lineA, "civil-a", "Civil A", 1))), []string{"2:system:system_form"}},
		"a person's number":    {string(sheet(strings.Replace(lineA, "样例区民政局", "110101199003070011", 1))), []string{"2:organization:text"}},
		"host with capitals":   {string(sheet(strings.Replace(lineA, "b.gov", "B.gov", 1))), []string{"2:hosts:host_form"}},
		"wildcard":             {string(sheet(strings.Replace(lineA, "b.gov", "*.gov", 1))), []string{"2:hosts:host_form"}},
		"purpose":              {string(sheet(lineA + "fun")), []string{"2:purpose:purpose"}},
		"twice":                {string(sheet(lineA, lineA+"test", lineA)), []string{"4:system:twice"}},
		"1001 lines":           {headLine + strings.Repeat(lineA+"\n", 1001), []string{"0::too_many"}},
		"a megabyte":           {headLine + strings.Repeat(" ", ra.MaxImport), []string{"0::too_many"}},
	} {
		if _, bad := ra.ParseCSV([]byte(c.data)); !slices.Equal(codes(bad), c.want) {
			t.Errorf("%s: %v, want %v", name, codes(bad), c.want)
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add(sheet(lineA))
	f.Add([]byte("统一社会信用代码,系统标识\n\"x\n"))
	f.Add([]byte("\xef\xbb\xbf" + headLine + "\x81\x30\x81\x30"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, bad := ra.ParseCSV(data)
		if len(rows) == 0 && len(bad) == 0 {
			t.Error("neither a row nor a problem")
		}
		for _, r := range rows {
			if r.Request.Agency == "" || r.Request.System == "" || !ca.ValidHosts(r.Request.Hosts) || r.Line < 2 {
				t.Errorf("taken: %+v", r)
			}
		}
	})
}

func TestImportIsAllOrNothingAndRepeatable(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	who := actor("p-admin")
	bad := sheet(lineA,
		agency+",ghost,x,样例区民政局,a.gov,", other+",civil-b,x,样例区民政局,c.gov.internal,", other+",works-a,x,样例区建设局,works.gov.internal,", agency+",civil-b,x,样例区民政局,evil.example,", agency+",civil-b,x,样例区财政局,c.gov.internal,test")
	p, err := h.svc.Plan(ctx, who, bad)
	h.ok(err)
	want := []string{"3:system:system", "4:agency:agency", "5:agency:applicant", "6:hosts:host", "7:organization:name"}
	if !slices.Equal(codes(p.Bad), want) || p.New != 1 || p.Ready() || p.Lines[0].Outcome != ra.OutcomeNew {
		t.Errorf("%v, %+v", codes(p.Bad), p)
	}
	if _, err := h.svc.Import(ctx, who, bad); !errors.Is(err, ra.ErrImport) {
		t.Errorf("imported: %v", err)
	}
	if len(h.reg.Events()) != 0 {
		t.Error("half of a bad file was imported")
	}
	good := sheet(lineA, agency+",civil-b,民政二,样例区民政局,c.gov.internal,test")
	done, err := h.svc.Import(ctx, who, good)
	if err != nil || len(done.Requests) != 2 || done.Requests[1].Purpose != ca.PurposeTest || done.Requests[0].SubmittedBy != "p-admin" || len(h.reg.Events()) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	again, err := h.svc.Import(ctx, who, append(good, []byte(agency+",civil-b,民政二,样例区民政局,c.gov.internal,\n")...))
	if err != nil || len(again.Requests) != 1 || again.There != 2 {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if third, err := h.svc.Import(ctx, who, good); err != nil || len(third.Requests) != 0 || len(h.reg.Events()) != 2 {
		t.Errorf("repeated: %+v, %v", third, err)
	}
	h.reg.FailNext("AddRequests", errGate)
	if _, err := h.svc.Import(ctx, who, sheet(agency+",civil-a,x,样例区民政局,"+host+",test")); !errors.Is(err, errGate) {
		t.Errorf("the store failed: %v", err)
	}
}

// The event of an import names each request, and whoever reads them finds its
// payload again: also of the largest one.
func TestImportEventNamesEachRequest(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	var lines []string
	for i := range ra.MaxLines {
		name := fmt.Sprintf("h%04d.gov.internal", i)
		h.hosts["civil-a"] = append(h.hosts["civil-a"], name)
		lines = append(lines, agency+",civil-a,x,"+unitName+","+name+",")
	}
	done, err := h.svc.Import(ctx, actor("p-admin"), sheet(lines...))
	h.ok(err)
	ev := h.reg.Events()[0]
	if _, err := ledger.Encode(ev); err != nil {
		t.Fatal(err)
	}
	sum, seen := sm3.New(), 0
	for part := 1; ev.Details[fmt.Sprintf("ids_%02d", part)] != ""; part++ {
		for _, id := range strings.Fields(ev.Details[fmt.Sprintf("ids_%02d", part)]) {
			r, err := h.svc.Request(ctx, id)
			h.ok(err)
			if r.Batch != done.Batch || r.Batch != ev.Object.ID {
				t.Fatalf("%s is of batch %s", id, r.Batch)
			}
			sum.Write([]byte(ca.RequestDigest(r)))
			seen++
		}
	}
	if seen != ra.MaxLines || hex.EncodeToString(sum.Sum(nil)) != ev.Payload {
		t.Errorf("%d requests named, payload %s", seen, ev.Payload)
	}
}
