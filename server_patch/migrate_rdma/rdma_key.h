// SPDX-License-Identifier: Apache-2.0
// rdma_key.h — where column family "propagate" has what is ours.
#pragma once

#include <string>

// Upstream's raw-key-value looks for a slot in every key of the log, also of this family: behind a namespace, whose
// length is the first byte. Without one it would read beyond the key, and where it finds one of its slots it sends the
// record to its destination. These keys have a namespace of one byte, and slot 65535, which is in no range.
inline std::string RdmaKey(const std::string &name) { return "\x01-\xff\xff" + name; }
