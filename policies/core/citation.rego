# 引用：重大决策或者制发文件中引用共享信息，须经提供部门同意（2017 年规则第十九条）。
package yinxin.core

# METADATA
# title: 决策或者文件中引用，须有提供部门对该资源、该单位、该文件的同意，并在有效期内
# custom: {clause: BJ17-19b, code: E29_citation}
deny contains {"code": "E29_citation", "detail": src.resource} if {
	input.citing == true
	some src in input.sources
	src.regime == "beijing-2017"
	src.user != ""
	not quotable(src)
}

quotable(src) if {
	some c in input.consents
	c.resource == src.resource
	c.provider == src.provider
	c.consumer == src.user
	c.document in {"", input.cited_in}
	c.begun == true
	c.expired == false
}
