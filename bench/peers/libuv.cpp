// uv_spawn, with the loop run until the exit is reported.

#include <uv.h>

#include <cstdint>

#include "../machine.hpp"
#include "../worker.hpp"

namespace {

void launch(std::string program) {
    char* arguments[] = {program.data(), nullptr};
    std::int64_t status = -1;
    uv_process_t process{};
    process.data = &status;
    uv_process_options_t options{};
    options.file = arguments[0];
    options.args = arguments;
    options.exit_cb = [](uv_process_t* ended, std::int64_t code, int) {
        *static_cast<std::int64_t*>(ended->data) = code;
        uv_close(reinterpret_cast<uv_handle_t*>(ended), nullptr);
    };
    uv_loop_t* const loop = uv_default_loop();
    syncspawn::bench::expect(uv_spawn(loop, &process, &options) == 0, "uv_spawn failed");
    uv_run(loop, UV_RUN_DEFAULT);
    syncspawn::bench::expect(status == 0, "libuv's did not succeed");
}

}  // namespace

int main(int argc, char** argv) {
    return syncspawn::bench::serve(argc, argv, [](const std::string& program) {
        return std::vector<syncspawn::bench::Method>{{"libuv", [program] { launch(program); }}};
    });
}
