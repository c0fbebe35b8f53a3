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
	some [i, _] in uses
	src := input.sources[i]
	not src.share in shareable[src.regime]
}

# METADATA
# title: 工作秘密不作为政务数据共享
# custom: {clause: BJ17-16, code: E09_work_secret}
deny contains {"code": "E09_work_secret", "detail": src.resource} if {
	some [i, _] in uses
	src := input.sources[i]
	"work_secret" in src.tags
}

# METADATA
# title: 未经提供方签章同意，不得向第三方提供
# custom: {clause: X14-23a, code: E11_third_party}
deny contains {"code": "E11_third_party", "detail": input.target.agency} if {
	handover
	some i, src in input.sources
	third_party(src)
	src.regime != "beijing-2017"
	not onward_consent(i, src)
}

# METADATA
# title: 不得以任何方式提供给第三方
# description: Under this regime a provider's consent on file changes nothing.
# custom: {clause: BJ17-18, code: E11_third_party}
deny contains {"code": "E11_third_party", "detail": "beijing-2017"} if {
	handover
	some src in input.sources
	third_party(src)
	src.regime == "beijing-2017"
}

third_party(src) if {
	src.known
	input.subject.known
	src.provider != input.subject.agency
	src.provider != input.target.agency
}

onward_consent(i, src) if {
	src.regime == "xicheng-2014"
	some k, a in input.agreements
	input.target.agency in a.onward
	[i, input.subject.agency, k] in usable
}

# METADATA
# title: 不得超越职权获取和使用
# custom: {clause: XA18-25a, code: E17_purpose_not_duty}
deny contains {"code": "E17_purpose_not_duty", "detail": input.purpose} if {
	some [_, agency] in uses
	not input.purpose in duties(agency)
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
	"publish" in a.purposes
	[i, input.subject.agency, k] in usable
}
