# SPDX-License-Identifier: MIT
# Turns a page into a C++ source, which defines what page.hpp declares:
# cmake -D INPUT=page.html -D OUTPUT=page.cpp -D NAMESPACE=name [-D NAME=page] -P embed_page.cmake

if(NOT DEFINED NAME)
  set(NAME page)
endif()

file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REPEAT "0x..," 16 line)
string(REGEX REPLACE "(${line})" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUTPUT} "// Made from a page by embed_page.cmake.
#include \"page.hpp\"

namespace ${NAMESPACE} {

namespace {
constexpr unsigned char bytes[] = {
    ${bytes}
};
}  // namespace

std::string_view ${NAME}() noexcept {
  return {reinterpret_cast<const char*>(bytes), sizeof(bytes)};
}

}  // namespace ${NAMESPACE}
")
