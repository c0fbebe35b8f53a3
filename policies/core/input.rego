# 输入与公用概念。The input is built in Go from facts of the store: every key is
# always there and has its type; a number is never a string, times are whole
# milliseconds since 1970, and an unknown label arrives as the strictest. A test
# holds every path that a rule reads against the input that Go builds: a key
# that is missing would make a rule silent. What time does to a fact (begun,
# expired, ended, left) is a boolean at `now`.
#
# The engine finds the rules that matter by conditions `input.x == value`, so
# these stand first; then what seldom holds; `!=` and `<` cost thrice an `==`.
#
#   action purpose now          what is asked, for which purpose code, when
#   fields                      set of the information items asked for (empty: all)
#   subject {type id known agency system graded expired s a roles left duties}
#   target {id known agency graded expired s a duties}          id "": none named
#   carriers [{id known graded expired s a}]
#   sources [{id known resource provider share regime reviewed items masked
#             defect level s a tags public holder agreement ended user circular}]
#             user 使用单位: the subject's agency or, when the provider itself
#             hands over, that of the receiving system; "": the provider's own
#             use, an unknown source or subject, or no use of content
#   agreements [{id resource provider consumer office onward purposes fields
#                confidential defect_ack not_before not_after begun expired
#                terminated sealed {provider consumer office}}]
#   grants [{id unit role actions purposes resources providers systems level begun
#            expired signed suspended}]        of a person; scope sets that are empty do not bound
#   result {stated level s a tags}     a tag cat_any stands for every category:
#             the categories of the sources are then among its tags
#   new_grade {s a}     holdings [{id s a}]
#   standings [{resource agency copy overdue violation}]      of those who use, with
#             what they use: the copy that ends first, and what suspends them
#   behind                      the clock is behind the facts
#   citing cited_in             whether it will be quoted, and in which document
#   consents [{resource provider consumer document begun expired}]     to quote; document "": in any
package yinxin.core

# METADATA
# title: 不认识的操作
# custom: {clause: X11-30, code: E02_unknown_action}
deny contains {"code": "E02_unknown_action", "detail": input.action} if {
	not input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store", "publish", "carry", "regrade"}
}

# 使用信息内容的操作（传输环节和系统定级不使用内容）
uses_content if input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store", "publish"}

# 对信息的操作：使用和传输（变更系统等级不是）
handles_information if uses_content

handles_information if input.action == "carry"

# 结果落到另一单位的系统上，就是提供给该单位
handover if {
	input.action in {"read", "copy", "derive", "merge", "relabel", "forward", "store"}
	input.target.known == true
	input.target.agency != input.subject.agency
}
