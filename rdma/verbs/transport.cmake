# SPDX-License-Identifier: Apache-2.0
if(HAUL_RDMA)
    haul_part(rdma verbs USES rdma_link LIBS PkgConfig::VERBS)
    haul_transport(verbs)
else()
    haul_transport(verbs ABSENT)
endif()
