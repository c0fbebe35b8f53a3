# 共享类型、第三方、用途与发布。
package yinxin.core

# 各规则承认的、可以共享的类型
shareable := {
	"xicheng-2014": {"proactive", "on_application"},
	"beijing-2017": {"unconditional", "conditional"},
}

# METADATA
# title: 不予共享的资源不提供给其他单位；类型须属于所适用的规则
# custom: {clause: BJ17-16, code: E05_not_shared}
deny contains {"code": "E05_not_shared", "detail": src.share} if {
	some src in input.sources
	not shareable[src.regime][src.share]
	src.user != ""
}

# METADATA
# title: 工作秘密不作为政务数据共享
# custom: {clause: BJ17-16, code: E09_work_secret}
deny contains {"code": "E09_work_secret", "detail": src.resource} if {
	some src in input.sources
	src.tags["work_secret"]
	src.user != ""
}

# METADATA
# title: 未经提供方签章同意，不得向第三方提供
# custom: {clause: X14-23a, code: E11_third_party}
deny contains {"code": "E11_third_party", "detail": input.target.agency} if {
	input.subject.known == true
	some i, src in input.sources
	third_party(src)
	src.regime != "beijing-2017"
	not onward_consent(i)
}

# METADATA
# title: 不得以任何方式提供给第三方
# description: Under this regime a provider's consent on file changes nothing.
# custom: {clause: BJ17-18, code: E11_third_party}
deny contains {"code": "E11_third_party", "detail": "beijing-2017"} if {
	input.subject.known == true
	some src in input.sources
	src.regime == "beijing-2017"
	third_party(src)
}

# third_party: 接收单位既不是使用单位，也不是提供方
third_party(src) if {
	src.user == input.subject.agency
	handover
	src.provider != input.target.agency
}

onward_consent(i) if {
	input.sources[i].regime == "xicheng-2014"
	some k, a in input.agreements
	a.onward[input.target.agency]
	usable(i, k)
}

# METADATA
# title: 不得超越职权获取和使用
# custom: {clause: XA18-25a, code: E17_purpose_not_duty}
deny contains {"code": "E17_purpose_not_duty", "detail": input.purpose} if {
	input.subject.known == true
	not input.subject.duties[input.purpose]
	some src in input.sources
	src.user == input.subject.agency
}

# METADATA
# title: 不得超越职权获取和使用（提供方转交的接收单位）
# custom: {clause: XA18-25a, code: E17_purpose_not_duty}
deny contains {"code": "E17_purpose_not_duty", "detail": input.purpose} if {
	input.target.known == true
	not input.target.duties[input.purpose]
	some src in input.sources
	src.user == input.target.agency
	handover
}

# METADATA
# title: 未经提供单位同意，不得擅自向社会发布
# custom: {clause: XA18-25b, code: E16_publish}
deny contains {"code": "E16_publish", "detail": src.id} if {
	input.action == "publish"
	not all_public
	some i, src in input.sources
	not publish_consent(i)
}

all_public if {
	every src in input.sources {
		src.public
	}
}

publish_consent(i) if {
	some k, a in input.agreements
	a.purposes["publish"]
	usable(i, k)
}
