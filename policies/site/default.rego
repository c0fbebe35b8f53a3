# 本单位策略（默认）：核心规则允许的，一律允许。
#
# The officers' rules can only narrow: they are compiled apart from the core,
# and a decision needs the core, the sealed guard and "permit" from here. They
# read nothing but input (its fields are those of core/input.rego). An officer
# replaces this file and adds denials, for example no copies at night:
#
#   out := "deny" if {
#       input.action == "copy"
#       input.now % 86400000 > 79200000
#   }
#
# (a default with further rules for the same name: the rule wins when it holds).
package yinxin.site

default out := "permit"
