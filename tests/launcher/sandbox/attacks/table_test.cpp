#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/steps.hpp"
#include "table.hpp"

using namespace syncspawn::attacks;
using namespace syncspawn::testing;

namespace {

std::string table_of(const std::string& rows) {
    return "## Others\n\n| a | b |\n|---|---|\n| c | d |\n\n## Attacks\n\n"
           "| guarantee | attack | namespaces | Landlock and seccomp | both "
           "|\n|---|---|---|---|---|\n" +
           rows + "\nText.\n\n## More\n\n| e | f |\n";
}

std::string complaint_about(const std::string& document) {
    return thrown_by<std::runtime_error>([&] { (void)read_table(document); });
}

}  // namespace

TEST_CASE("a table is read row by row, and no other table with it") {
    const std::vector<Row> rows = read_table(
        table_of("| files | write `it` | denied | not covered (root: denied) | allowed |\n"
                 "| network | reach it | denied | denied | denied |\n"));
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].guarantee == "files");
    CHECK(rows[0].attack == "write `it`");
    CHECK(rows[0].cells[0] == Cell{Verdict::denied, Verdict::denied});
    CHECK(rows[0].cells[1] == Cell{Verdict::denied, Verdict::not_covered});
    CHECK(rows[0].cells[2] == Cell{Verdict::allowed, Verdict::allowed});
    CHECK(rows[1].attack == "reach it");
}

TEST_CASE("what is no such table is an error that names the line") {
    CHECK(complaint_about("") == "there is no table under ## Attacks");
    CHECK(complaint_about(table_of("")) == "there is no table under ## Attacks");
    CHECK(complaint_about(table_of("| files | a | denied | denied |\n")) ==
          "not as many columns as there should be: | files | a | denied | denied |");
    CHECK(complaint_about(table_of("| files | a | denied | maybe | denied |\n"))
              .starts_with("'maybe' is no verdict: "));
    CHECK(complaint_about(table_of("| files | a | denied | denied (root: allowed | denied |\n"))
              .starts_with("a bracket is open: "));
    CHECK(complaint_about(table_of("| files | a | denied | denied (root: denied) | denied |\n"))
              .starts_with("root is no exception: "));
}
