# 输入与公用概念。The input is built in Go from facts of the store: every key is
# always there and has its type; a number is never a string, `now` and all other
# times are whole milliseconds since 1970 (an end that is not set is the year 9999), and an unknown label
# arrives as the strictest. A test holds every path that a rule reads against
# the input that Go builds: a key that is missing would make a rule silent.
# Conditions of the form `input.x == value` stand first: the engine finds the
# rules that matter by them.
#
#   action purpose now          what is asked, for which purpose code, when
#   fields                      set of the information items asked for (empty: all)
#   subject {type id known agency system graded expired s a roles left duties}
#   target {id known agency graded expired s a duties}          id "": none named
#   carriers [{id known graded expired s a}]
#   sources [{id known resource provider share regime reviewed items defect
#             level s a tags public holder agreement ended}]
#   agreements [{id resource provider consumer office onward purposes fields
#                confidential defect_ack not_before not_after terminated seals}]
#   result {stated level s a tags}     new_grade {s a}     holdings [{id s a}]
#   standings [{resource agency copy overdue violation}]      of those who use, with
#             what they use: the copy that ends first, and what suspends them
package yinxin.core

# METADATA
# title: 不认识的操作
# custom: {clause: X11-30, code: E02_unknown_action}
deny contains {"code": "E02_unknown_action", "detail": input.action} if {
	not input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store", "publish", "carry", "regrade"}
}

# 使用信息内容的操作（传输环节和系统定级不使用内容）
uses_content if input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store", "publish"}

# 结果落到另一单位的系统上，就是提供给该单位
handover if {
	input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store"}
	input.target.known == true
	input.target.agency != input.subject.agency
}

# uses: [第几个来源, 使用单位]。提供方使用自己的信息不在其中。
uses contains [i, input.subject.agency] if {
	input.subject.known == true
	uses_content
	some i, src in input.sources
	src.known
	src.provider != input.subject.agency
}

# 提供方直接转交时，使用单位是接收系统所属的单位。
uses contains [i, input.target.agency] if {
	handover
	some i, src in input.sources
	src.provider == input.subject.agency
	input.target.agency != src.provider
}

duties(agency) := input.subject.duties if {
	agency == input.subject.agency
} else := input.target.duties if {
	agency == input.target.agency
}
