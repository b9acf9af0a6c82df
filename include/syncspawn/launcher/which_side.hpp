#pragma once

namespace syncspawn {

/// The two sides of a launch.
enum class WhichSide { parent, child };

}  // namespace syncspawn
