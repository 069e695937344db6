# SPDX-License-Identifier: Apache-2.0
haul_part(rdma dummy USES rdma_link)
haul_transport(dummy)
