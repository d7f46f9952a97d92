# cmake -DIN=file -DOUT=file.cc -DNAME=n -DSPACE=a::b -P embed.cmake: the bytes of IN as `extern const std::string_view SPACE::NAME`.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${hex}")
# Compilers bound the length of one literal's line, so the text is cut into lines of 64 bytes.
string(REGEX REPLACE "(................................................................................................................................................................................................................................................................)" "\\1\"\n\"" escaped "${escaped}")
file(WRITE ${OUT} "#include <string_view>\nnamespace ${SPACE} {\nextern const std::string_view ${NAME};\nconst std::string_view ${NAME}(\"${escaped}\", ${size});\n}\n")
