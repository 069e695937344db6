# SPDX-License-Identifier: Apache-2.0
haul_part(rdma tcp USES rdma_control)
haul_transport(tcp)
