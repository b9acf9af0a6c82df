// A command that makes the calls of a sandbox, and nothing else: linked statically, as ours is.
//
// usage: bare_command INIT PROGRAM

#include "bare_sandbox.hpp"
#include "machine.hpp"

int main(int argc, char** argv) {
    syncspawn::bench::expect(argc == 3, "usage: bare_command INIT PROGRAM");
    const syncspawn::bench::BareSandbox sandbox(argv[2], argv[1],
                                                syncspawn::bench::FirstInside::reaper);
    sandbox.launch();
    return 0;
}
