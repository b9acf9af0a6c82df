// Meets the parent as often as its first argument says, then runs the second as a shell command.
#include <cstdlib>

#include <syncspawn/barrier.hpp>

int main(int count, char** arguments) {
    syncspawn::Barrier barrier = syncspawn::attach();
    for (int round = std::atoi(arguments[1]); round > 0; --round) {
        if (barrier.place_and_sync() != syncspawn::Outcome::reached) {
            return 1;
        }
    }
    if (count > 2) {
        (void)!std::system(arguments[2]);
    }
    return 42;
}
