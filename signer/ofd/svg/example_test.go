package svg_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
)

func ExamplePage() {
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例局", Body: []string{"正文。"}, Date: time.Unix(0, 0)})
	if err != nil {
		fmt.Println(err)
		return
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := svg.Page(pkg, 0, svg.Options{Labels: svg.Labels{Annotation: "批注", Picture: "图像未显示"}})
	fmt.Println(err, len(r.Warnings), strings.HasPrefix(string(r.SVG), "<svg "))
	// Output: <nil> 0 true
}
