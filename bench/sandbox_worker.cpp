// The worker for sandboxes.

#include "sandbox_methods.hpp"
#include "worker.hpp"

int main(int argc, char** argv) {
    return syncspawn::bench::serve(argc, argv, syncspawn::bench::sandbox_methods_of);
}
